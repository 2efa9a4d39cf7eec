use notifications::Notifications;
use serde_json::{Value, json};
use testing::{Town, assert_problem};

#[test]
fn the_interface_is_the_one_checked_in() {
    testing::openapi::assert_current::<Notifications>(env!("CARGO_MANIFEST_DIR"));
}

#[tokio::test]
async fn metrics_are_born_at_zero() {
    let service = testing::start::<Notifications>(json!({})).await;
    let page = service.metrics().await;
    for series in [
        "written_total{kind=\"welcome\"}",
        "written_total{kind=\"order_confirmed\"}",
        "written_total{kind=\"order_cancelled\"}",
        "written_total{kind=\"payment_refunded\"}",
        "written_total{kind=\"shipment_dispatched\"}",
        "written_total{kind=\"shipment_delivered\"}",
        "sends_total{outcome=\"sent\"}",
        "sends_total{outcome=\"put_off\"}",
        "sends_total{outcome=\"given_up\"}",
        "unsent",
        "oldest_unsent_seconds",
    ] {
        let line = format!("\ncitywatch_notifications_{series} 0\n");
        assert!(page.contains(&line), "{series}: {page}");
    }
}

#[tokio::test]
async fn members_read_their_own_and_operators_all() {
    let town = Town::new();
    let service = town.start::<Notifications>(json!({})).await;
    let get = |path: &str, token: Option<String>| {
        let request = service.http.get(format!("{}{path}", service.url));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    };
    let member = || Some(town.member_token("mina", &[]));
    let operator = || Some(town.operator_token().to_owned());
    for (path, allowed, refused) in [
        ("/api/notifications", member(), operator()),
        ("/inner/v1/notifications", operator(), member()),
    ] {
        let answer = get(path, None).send().await.unwrap();
        assert_problem(answer, 401, "missing_token").await;
        let answer = get(path, refused).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
        let answer = get(path, allowed.clone()).send().await.unwrap();
        let page: Value = answer.json().await.unwrap();
        assert_eq!(page, json!({ "items": [], "next_cursor": null }), "{path}");
        for (query, code) in [("limit=0", "invalid_limit"), ("cursor=x", "invalid_cursor")] {
            let answer = get(&format!("{path}?{query}"), allowed.clone());
            assert_problem(answer.send().await.unwrap(), 400, code).await;
        }
    }
}
