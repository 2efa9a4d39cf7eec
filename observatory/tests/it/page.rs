//! The page and the answers that it is made of.

use serde_json::json;

use crate::samples::{NOON, encoded, failed, span};
use crate::sut::Sut;

#[tokio::test]
async fn the_page_is_served_at_every_address_it_links_to() {
    let sut = Sut::start().await;
    for path in ["/", "/trace/83a9efd15c1c98a977e0711cc93ee28b"] {
        let answer = sut.get(path).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        let policy = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        let page = answer.text().await.unwrap();
        // Whatever the page names must be here: nothing is loaded from elsewhere.
        assert!(!page.contains("//cdn") && !page.contains("https://"));
        let named = page.split('"').filter(|part| part.starts_with("/assets/"));
        for asset in named {
            assert_eq!(sut.get(asset).await.status(), 200, "{asset}");
        }
    }
    for script in ["app", "detail", "dom", "list", "trace", "tree"] {
        let answer = sut.get(&format!("/assets/{script}.js")).await;
        assert_eq!(answer.headers()["content-type"], "text/javascript");
        let script = answer.text().await.unwrap();
        assert!(
            !script.contains("innerHTML"),
            "what services send is never markup"
        );
    }
}

#[tokio::test]
async fn traces_are_summed_up_in_a_line() {
    let sut = Sut::start().await;
    let front = vec![
        span(1, 1, 0, "GET /", NOON, 9_000),
        span(1, 9, 77, "lost", NOON + 5_000, 1),
    ];
    let back = vec![failed(
        span(1, 2, 1, "SELECT", NOON + 2_000, 11_000),
        "locked",
    )];
    sut.post("/v1/traces", encoded("front", front))
        .send()
        .await
        .unwrap();
    sut.post("/v1/traces", encoded("back", back))
        .send()
        .await
        .unwrap();
    let orphan = vec![span(2, 1, 5, "alone", NOON, 3)];
    sut.post("/v1/traces", encoded("back", orphan))
        .send()
        .await
        .unwrap();
    let window = "start=0&end=9999999999999999";
    let answer = sut
        .json(&format!("/api/observatory/v1/traces?{window}"))
        .await;
    let share = |name: &str, spans: u32, errors: u32| json!({"name": name, "span_count": spans, "error_count": errors});
    let first = json!({
        "trace_id": "0000000000000002", "root_service": null, "root_operation": null,
        "root_duration": null,
        "start_time": NOON / 1_000, "duration": 3, "span_count": 1, "error_count": 0,
        "orphan_count": 1, "services": [share("back", 1, 0)],
    });
    let second = json!({
        "trace_id": "0000000000000001", "root_service": "front", "root_operation": "GET /",
        "root_duration": 9_000,
        "start_time": NOON / 1_000, "duration": 11_002, "span_count": 3, "error_count": 1,
        "orphan_count": 1, "services": [share("back", 1, 1), share("front", 2, 0)],
    });
    assert_eq!(answer["traces"], json!([first, second]));
    let query = format!("/api/observatory/v1/traces?{window}&service=front&tag=error:true");
    assert_eq!(
        sut.json(&query).await["traces"],
        json!([]),
        "the error is another service's"
    );
    let refused = sut.get("/api/observatory/v1/traces?minDuration=x").await;
    assert_eq!(refused.status(), 400);
    assert_eq!(
        refused.json::<serde_json::Value>().await.unwrap()["code"],
        "invalid_query"
    );
}

/// A trace goes on after its root's answer, in services that it had not met by then.
#[tokio::test]
async fn what_comes_after_the_answer_is_summed_up_too() {
    let sut = Sut::start().await;
    let send = async |service: &str, spans| {
        let sent = sut.post("/v1/traces", encoded(service, spans)).send().await;
        assert_eq!(sent.unwrap().status(), 200);
    };
    let second = 1_000_000_000;
    send("front", vec![span(1, 1, 0, "POST /orders", NOON, 60_000)]).await;
    for trace in 2..10 {
        send("front", vec![span(trace, 1, 0, "GET /", NOON + second, 5)]).await;
    }
    let found = async |query: &str| {
        let window = "start=0&end=9999999999999999";
        let path = format!("/api/observatory/v1/traces?{window}&{query}");
        sut.json(&path).await["traces"].take()
    };
    assert_eq!(found("service=parcels").await, json!([]));
    send(
        "parcels",
        vec![span(1, 2, 1, "dispatch", NOON + 2 * second, 4_000)],
    )
    .await;
    send(
        "letters",
        vec![failed(
            span(1, 3, 2, "send", NOON + 5 * second, 7_000),
            "no",
        )],
    )
    .await;
    for query in ["service=parcels", "service=letters&tag=error:true"] {
        let found = found(query).await;
        let line = &found[0];
        assert_eq!(found.as_array().unwrap().len(), 1, "{query}");
        assert_eq!(line["duration"], 5_007_000);
        assert_eq!(line["root_duration"], 60_000);
        assert_eq!(line["root_operation"], "POST /orders");
        assert_eq!(
            (&line["span_count"], &line["error_count"]),
            (&json!(3), &json!(1))
        );
        let services = line["services"].as_array().unwrap().iter();
        let names: Vec<_> = services.map(|service| &service["name"]).collect();
        assert_eq!(names, ["front", "letters", "parcels"]);
    }
}

#[tokio::test]
async fn the_status_says_what_is_kept_and_where_to_send() {
    let sut = Sut::start().await;
    let empty = sut.json("/api/observatory/v1/status").await;
    assert_eq!(
        (&empty["traces"], &empty["oldest_received"]),
        (&json!(0), &json!(null))
    );
    let grpc = sut.running.named_address("otlp_grpc").to_string();
    assert_eq!(empty["otlp_grpc"], grpc);
    let one = encoded("a", vec![span(1, 1, 0, "x", NOON, 9)]);
    sut.post("/v1/traces", one).send().await.unwrap();
    let status = sut.json("/api/observatory/v1/status").await;
    assert_eq!(
        (&status["traces"], &status["spans"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(status["limit_bytes"], 64 << 20);
    assert!(status["oldest_received"].as_u64().unwrap() > NOON / 1_000);
}

#[tokio::test]
async fn unknown_paths_are_problems() {
    let sut = Sut::start().await;
    let answer = sut.get("/api/nothing").await;
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}
