use crate::client::{log_in, metric, start};

#[tokio::test]
async fn every_series_is_born_at_zero() {
    let service = start().await;
    for series in [
        "citywatch_users_sign_ups_total",
        "citywatch_users_log_ins_total{outcome=\"success\"}",
        "citywatch_users_log_ins_total{outcome=\"invalid_credentials\"}",
        "citywatch_users_log_ins_total{outcome=\"busy\"}",
        "citywatch_users_log_ins_total{outcome=\"error\"}",
        "citywatch_users_refreshes_total{outcome=\"success\"}",
        "citywatch_users_refreshes_total{outcome=\"invalid\"}",
        "citywatch_users_refreshes_total{outcome=\"reused\"}",
        "citywatch_users_refreshes_total{outcome=\"error\"}",
        "citywatch_users_password_hash_seconds_count",
        "citywatch_users_password_hash_waiting",
    ] {
        assert_eq!(metric(&service, series).await, 0.0, "{series}");
    }
}

#[tokio::test]
async fn the_trace_of_a_log_in_shows_where_the_time_goes() {
    let service = start().await;
    log_in(&service, "nobody@example.com", "correct horse battery").await;
    let spans = service.spans().await;
    let root = spans
        .iter()
        .find(|span| span.name == "POST /api/sessions")
        .expect("a server span");
    for name in ["SELECT members", "argon2id"] {
        let child = spans.iter().find(|span| span.name == name);
        let child = child.unwrap_or_else(|| panic!("no span {name}"));
        assert_eq!(child.trace_id, root.trace_id, "{name}");
    }
    let shown = format!("{spans:?}");
    assert!(!shown.contains("correct horse") && !shown.contains("nobody@example.com"));
}
