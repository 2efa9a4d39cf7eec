//! 10,000 characters wherever a name could become a label.

use axum::Router;
use serde_json::json;

use crate::behind::Behind;
use crate::real::real;

#[tokio::test]
async fn labels_of_ten_thousand_characters_add_no_series() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let mut real = real(&json!({"max_header_bytes": 65_536}), &[behind.address]).await;
    let mut series = None;
    for letter in ["a", "b", "c", "d"] {
        let long = letter.repeat(10_000);
        let with = |line: String| format!("GET /open HTTP/1.1\r\nhost: t\r\n{line}\r\n\r\n");
        let target = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: t\r\n\r\n");
        for (say, status) in [
            (with(format!("user-agent: {long}")), 200),
            (with(format!("x-{long}: {long}")), 200),
            (
                with(format!("traceparent: {long}\r\ntracestate: {long}")),
                200,
            ),
            (with(format!("baggage: {long}={long}")), 200),
            (with(format!("x-forwarded-for: {long}")), 200),
            (with(format!("authorization: Bearer {long}")), 401),
            (with(format!("cookie: {long}")), 200),
            (target(&format!("/{long}")), 414),
            (target(&format!("/{}", &long[..2_000])), 404),
            (target(&format!("/open/{}", &long[..2_000])), 200),
            (format!("{long} /open HTTP/1.1\r\nhost: t\r\n\r\n"), 405),
            (
                format!("GET /open HTTP/1.1\r\nhost: {}\r\n\r\n", &long[..200]),
                200,
            ),
        ] {
            assert_eq!(real.say(&say).await.status, status, "{}", &say[..60]);
        }
        let now = real.series().await;
        assert_eq!(series.get_or_insert_with(|| now.clone()), &now);
    }
    real.ends_unharmed().await;
}
