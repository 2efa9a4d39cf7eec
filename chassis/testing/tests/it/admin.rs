use reqwest::header;
use serde_json::{Value, json};
use testing::Running;

use crate::{example::Example, gate::within};

async fn readiness(running: &Running) -> (u16, Value) {
    let response = running.http.get(format!("{}/readyz", running.admin_url));
    let response = response.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn alive(running: &Running) {
    let response = running.http.get(format!("{}/livez", running.admin_url));
    assert_eq!(response.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_service_that_can_serve_says_so() {
    let running = testing::start::<Example>(json!({})).await;
    let (status, body) = readiness(&running).await;
    assert_eq!(status, 200, "{body}");
    let ok = |name: &str| json!({"name": name, "ok": true});
    let checks = [ok("fine"), ok("check"), ok("hung up too")];
    assert_eq!(body, json!({"ready": true, "checks": checks}));
    alive(&running).await;
}

#[tokio::test]
async fn a_failing_check_says_what_is_missing_and_the_process_lives() {
    let running = testing::start::<Example>(json!({"check": "failing"})).await;
    let (status, body) = readiness(&running).await;
    assert_eq!((status, &body["ready"]), (503, &json!(false)));
    let check = json!({"name": "check", "ok": false, "detail": "the shop is closed"});
    assert_eq!(body["checks"][1], check);
    assert_eq!(body["checks"][0]["ok"], true);
    alive(&running).await;
}

#[tokio::test]
async fn hanging_checks_hang_nobody() {
    let running = testing::start::<Example>(json!({"check": "hanging"})).await;
    let asked = readiness(&running);
    tokio::pin!(asked);
    tokio::select! {
        biased;
        () = alive(&running) => {}
        (_, body) = &mut asked => panic!("a check that hangs was answered: {body}"),
    }
    let (status, body) = within(asked).await;
    assert_eq!(status, 503, "{body}");
    for check in [1, 2] {
        let detail = &body["checks"][check]["detail"];
        assert_eq!(detail, "no answer within a second", "{body}");
    }
}

#[tokio::test]
async fn metrics_come_in_the_form_that_is_asked_for() {
    let running = testing::start::<Example>(json!({})).await;
    let greeting = running.http.get(format!("{}/greeting", running.url));
    greeting.send().await.unwrap();
    let page = async |accept: &str| {
        let request = running.http.get(format!("{}/metrics", running.admin_url));
        let response = request.header(header::ACCEPT, accept).send().await.unwrap();
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap();
        (kind.to_owned(), response.text().await.unwrap())
    };
    let (kind, text) = page("text/plain").await;
    assert!(kind.starts_with("text/plain"), "{kind}");
    assert!(text.contains("http_route=\"/greeting\""), "{text}");
    assert!(
        text.contains("citywatch_settings_documents_total"),
        "{text}"
    );
    testing::engines::Judge::Promtool.accepts(&text);
    let (kind, text) = page("application/openmetrics-text; version=1.0.0").await;
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    testing::engines::Judge::OpenMetrics.accepts(&text);
}

#[tokio::test]
async fn the_interface_describes_itself() {
    let running = testing::start::<Example>(json!({})).await;
    let request = running
        .http
        .get(format!("{}/openapi.json", running.admin_url));
    let api: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(api["info"]["title"], "citywatch-example");
    assert_eq!(api["info"]["version"], "1.2.3");
    for path in [
        "/greeting",
        "/livez",
        "/readyz",
        "/metrics",
        "/openapi.json",
    ] {
        assert!(api["paths"][path]["get"].is_object(), "{path}");
    }
    assert!(api["components"]["schemas"]["Problem"].is_object());
}
