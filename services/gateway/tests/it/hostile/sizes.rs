//! Oversized heads and bodies.

use super::{Table, withstands};

#[tokio::test]
async fn what_is_too_large_is_refused() {
    withstands(table).await;
}

fn table(letter: char) -> Table {
    let post = |lines: &str, body: &str| {
        format!("POST /open?{letter} HTTP/1.1\r\nhost: t\r\n{lines}\r\n\r\n{body}")
    };
    let target = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: t\r\n\r\n");
    let (long, longer) = (
        letter.to_string().repeat(10_000),
        letter.to_string().repeat(40_000),
    );
    let many: String = (0..200).map(|n| format!("h{letter}{n}: v\r\n")).collect();
    let chunk = format!("7d0\r\n{}\r\n0\r\n\r\n", &long[..2_000]);
    let chunks = "64\r\n".to_owned() + &long[..100] + "\r\n";
    Table::default()
        .closes(
            431,
            "head_too_large",
            [
                ("many lines", post(&many, "")),
                ("the same line often", post(&"x: y\r\n".repeat(200), "")),
                ("long value", post(&format!("x: {longer}"), "")),
                ("long name", post(&format!("{longer}: x"), "")),
            ],
        )
        .closes(
            414,
            "target_too_long",
            [
                ("long path", target(&format!("/open/{long}"))),
                ("longer path", target(&format!("/open/{longer}"))),
                ("long query", target(&format!("/open?{long}"))),
            ],
        )
        .closes(
            413,
            "body_too_large",
            [
                ("by its length", post("content-length: 2000", "")),
                (
                    "by its length, sent",
                    post("content-length: 40000", &longer),
                ),
                (
                    "beyond all sense",
                    post("content-length: 9000000000000000000", ""),
                ),
                ("one chunk", post("transfer-encoding: chunked", &chunk)),
                (
                    "many chunks",
                    post(
                        "transfer-encoding: chunked",
                        &(chunks.repeat(20) + "0\r\n\r\n"),
                    ),
                ),
            ],
        )
}
