//! Every service's metrics page, judged by Prometheus' own tool and by the reference parser of
//! OpenMetrics. The services are started in this process; their pages are fetched as a scraper
//! would.

use app::Service;
use serde_json::json;
use testing::engines::Judge;

async fn judge<S: Service>(settings: serde_json::Value) {
    let service = testing::start::<S>(settings).await;
    // A request that ends in a histogram, and one that no route takes.
    for path in ["/api/products", "/nowhere"] {
        let answer = service
            .http
            .get(format!("{}{path}", service.url))
            .send()
            .await
            .unwrap();
        assert!(
            answer.headers().contains_key("traceresponse"),
            "{} {path}",
            S::NAME
        );
    }
    let scrape = |accept: &'static str| {
        let request = service.http.get(format!("{}/metrics", service.admin_url));
        async move {
            let answer = request.header("accept", accept).send().await.unwrap();
            assert!(answer.status().is_success());
            let kind = answer.headers()["content-type"]
                .to_str()
                .unwrap()
                .to_owned();
            (kind, answer.text().await.unwrap())
        }
    };
    let (kind, text) = scrape("text/plain").await;
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    Judge::Promtool.accepts(&text);

    let (kind, text) = scrape("application/openmetrics-text; version=1.0.0").await;
    assert!(
        kind.starts_with("application/openmetrics-text; version=1.0.0"),
        "{kind}"
    );
    assert!(
        text.contains("http_server_request_duration_seconds_bucket"),
        "{text}"
    );
    if let Some(counted) = Judge::OpenMetrics.accepts(&text) {
        let exemplars: usize = counted.split_whitespace().last().unwrap().parse().unwrap();
        assert!(
            exemplars > 0,
            "{}: no exemplar was read back: {counted}",
            S::NAME
        );
    }
    service.stop().await;
}

macro_rules! pages {
    ($($name:ident: $service:ty, $settings:tt);* $(;)?) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            judge::<$service>(json!($settings)).await;
        })*
    };
}

pages! {
    gateway: gateway::Gateway, {};
    registry: registry::Registry, {};
    users: users::Users, {};
    catalog: catalog::Catalog, {};
    observatory: observatory::Observatory,
        {"otlp_grpc_listen": "127.0.0.1:0", "otlp_http_listen": "127.0.0.1:0"};
    inventory: inventory::Inventory, {};
    cart: cart::Cart, {};
    payments: payments::Payments, {};
    orders: orders::Orders, {};
    shipping: shipping::Shipping, {};
    board: board::Board, {};
    notifications: notifications::Notifications, {};
    recommendations: recommendations::Recommendations, {};
}
