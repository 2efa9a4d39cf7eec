use crate::client::{metric, start};

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
