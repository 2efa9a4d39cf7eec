use orders::Orders;

use crate::peers::Mood::Refuses;
use crate::shop::open;

#[test]
fn the_interface_is_the_one_checked_in() {
    testing::openapi::assert_current::<Orders>(env!("CARGO_MANIFEST_DIR"));
}

#[tokio::test]
async fn metrics_are_born_at_zero_and_count() {
    let shop = open().await;
    let page = shop.service.metrics().await;
    let outcomes = [
        "confirmed",
        "out_of_stock",
        "payment_declined",
        "reservation_expired",
        "gave_up",
    ];
    for outcome in outcomes {
        let line = format!("\ncitywatch_orders_ended_total{{outcome=\"{outcome}\"}} 0\n");
        assert!(page.contains(&line), "{line} is not in {page}");
    }
    for step in ["reserve", "charge", "confirm", "refund", "release"] {
        for outcome in ["done", "refused", "unsettled"] {
            let line = format!(
                "\ncitywatch_orders_saga_steps_total{{outcome=\"{outcome}\",step=\"{step}\"}} 0\n"
            );
            assert!(page.contains(&line), "{line} is not in {page}");
        }
    }
    for name in [
        "placed_total",
        "sagas_driven",
        "sagas_unfinished",
        "sagas_adopted_total",
        "leases_lost_total",
        "oldest_unfinished_seconds",
        "saga_seconds_count",
    ] {
        let line = format!("\ncitywatch_orders_{name} 0\n");
        assert!(page.contains(&line), "{line} is not in {page}");
    }

    shop.ordered("k1").await;
    shop.peers
        .next("charge", &[Refuses(402, "payment_declined")]);
    shop.ordered("k2").await;
    let page = shop.service.metrics().await;
    for line in [
        "placed_total 2",
        "ended_total{outcome=\"confirmed\"} 1",
        "ended_total{outcome=\"payment_declined\"} 1",
        "saga_steps_total{outcome=\"done\",step=\"reserve\"} 2",
        "saga_steps_total{outcome=\"done\",step=\"charge\"} 1",
        "saga_steps_total{outcome=\"refused\",step=\"charge\"} 1",
        "saga_steps_total{outcome=\"done\",step=\"release\"} 1",
        "saga_seconds_count 2",
        "sagas_driven 0",
    ] {
        let line = format!("\ncitywatch_orders_{line}\n");
        assert!(page.contains(&line), "{line} is not in {page}");
    }
}
