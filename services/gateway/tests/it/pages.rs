//! The metrics page, judged by those who read it.

use axum::Router;
use serde_json::json;
use testing::engines::Judge;

use crate::behind::Behind;
use crate::town::street;

#[tokio::test]
async fn prometheus_reads_the_page_in_both_forms() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let street = street(json!({}), &[behind.address]).await;
    for path in ["/open", "/nowhere", "/member"] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: t\r\n\r\n");
        street.client().await.say(request).await;
    }
    let text = street.gateway.metrics().await;
    Judge::Promtool.accepts(&text);

    let page = format!("{}/metrics", street.gateway.admin_url);
    let open = street
        .gateway
        .http
        .get(page)
        .header("accept", "application/openmetrics-text");
    let open = open.send().await.unwrap().text().await.unwrap();
    assert!(open.contains("# {trace_id="), "exemplars:\n{open}");
    Judge::OpenMetrics.accepts(&open);
}

#[tokio::test]
async fn every_series_of_the_gateway_is_there_before_the_first_request() {
    let street = street(json!({}), &[]).await;
    let page = street.gateway.metrics().await;
    for series in [
        "citywatch_gateway_rejections_total{reason=\"invalid_token\"} 0",
        "citywatch_gateway_rejections_total{reason=\"gateway_timeout\"} 0",
        "citywatch_gateway_rate_limited_total{scope=\"address\"} 0",
        "citywatch_gateway_rate_limited_total{scope=\"member\"} 0",
        "citywatch_gateway_upstream_retries_total{reason=\"connection_refused\"} 0",
        "citywatch_gateway_upstream_retries_total{reason=\"no_answer\"} 0",
        "citywatch_gateway_upstream_connections{state=\"busy\"} 0",
        "citywatch_gateway_connections 0",
        "citywatch_gateway_signatures_checked_total 0",
        "citywatch_gateway_rate_limit_keys 0",
    ] {
        assert!(page.contains(series), "{series} in\n{page}");
    }
}
