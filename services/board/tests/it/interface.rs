use board::Board;

use crate::square::open;

#[test]
fn the_interface_is_the_one_checked_in() {
    testing::openapi::assert_current::<Board>(env!("CARGO_MANIFEST_DIR"));
}

#[tokio::test]
async fn metrics_are_born_at_zero() {
    let square = open().await;
    let page = square.service.metrics().await;
    for series in [
        "posts_total",
        "names_total{outcome=\"remembered\"}",
        "names_total{outcome=\"asked\"}",
        "names_total{outcome=\"unknown\"}",
        "names_total{outcome=\"failed\"}",
    ] {
        let line = format!("\ncitywatch_board_{series} 0\n");
        assert!(page.contains(&line), "{series}: {page}");
    }
}
