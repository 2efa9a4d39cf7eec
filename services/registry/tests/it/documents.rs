use std::time::{Duration, Instant};

use registry::Registry;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use testing::{Running, Town};

use crate::world::{Caller, Events, json_of, refused, start, start_with};

const CITY: &str = "/v1/documents/city";

async fn put(registry: &Running, value: &Value, condition: Option<(&str, &str)>) -> Response {
    let mut request = registry.operator(Method::PUT, CITY).json(value);
    if let Some((name, value)) = condition {
        request = request.header(name, value);
    }
    request.send().await.unwrap()
}

async fn city(registry: &Running) -> Value {
    let read = registry
        .service("gateway", Method::GET, CITY)
        .send()
        .await
        .unwrap();
    json_of(read, StatusCode::OK).await
}

#[tokio::test]
async fn a_document_has_versions_and_each_says_who_and_when() {
    let registry = start().await;
    let read = registry
        .service("gateway", Method::GET, CITY)
        .send()
        .await
        .unwrap();
    refused(read, StatusCode::NOT_FOUND, "unknown_document").await;

    let created = put(&registry, &json!({ "log": "info" }), None).await;
    assert_eq!(created.headers()["etag"], "\"1\"");
    let created = json_of(created, StatusCode::CREATED).await;
    assert_eq!(created["version"], 1);
    let updated = put(&registry, &json!({ "log": "debug" }), None).await;
    let updated = json_of(updated, StatusCode::OK).await;
    assert_eq!(updated["version"], 2);
    assert_eq!(updated["updated_by"], "operator");
    assert!(updated["updated_at"].as_str() > created["updated_at"].as_str());
    assert_eq!(city(&registry).await, updated);

    let path = format!("{CITY}/history");
    let history = registry.operator(Method::GET, &path).send().await.unwrap();
    let history = json_of(history, StatusCode::OK).await;
    assert_eq!(history, json!({ "versions": [updated, created] }));

    let list = registry
        .operator(Method::GET, "/v1/documents")
        .send()
        .await
        .unwrap();
    let mut summary = updated;
    summary.as_object_mut().unwrap().remove("value");
    assert_eq!(
        json_of(list, StatusCode::OK).await,
        json!({ "documents": [summary] })
    );
}

#[tokio::test]
async fn what_is_there_already_is_not_a_new_version() {
    let registry = start().await;
    let first = json_of(
        put(&registry, &json!({ "a": 1 }), None).await,
        StatusCode::CREATED,
    )
    .await;
    let again = put(&registry, &json!({ "a": 1 }), Some(("if-match", "\"1\""))).await;
    assert_eq!(json_of(again, StatusCode::OK).await, first);
}

#[tokio::test]
async fn a_write_that_expects_something_else_changes_nothing() {
    let registry = start().await;
    let absent = Some(("if-none-match", "*"));
    let (one, two) = (json!({ "a": 1 }), json!({ "a": 2 }));
    let early = put(&registry, &one, Some(("if-match", "\"1\""))).await;
    refused(early, StatusCode::PRECONDITION_FAILED, "version_conflict").await;

    assert_eq!(
        put(&registry, &one, absent).await.status(),
        StatusCode::CREATED
    );
    let late = put(&registry, &two, absent).await;
    assert_eq!(late.headers()["etag"], "\"1\"");
    refused(late, StatusCode::PRECONDITION_FAILED, "version_conflict").await;
    let odd = put(&registry, &two, Some(("if-match", "1"))).await;
    refused(odd, StatusCode::BAD_REQUEST, "invalid_precondition").await;
    assert_eq!(city(&registry).await["value"], one);

    let right = put(&registry, &two, Some(("if-match", "\"1\""))).await;
    assert_eq!(right.headers()["etag"], "\"2\"");
}

#[tokio::test]
async fn of_many_who_expect_the_same_version_one_writes() {
    let registry = start().await;
    put(&registry, &json!({ "writer": "first" }), None).await;
    let condition = Some(("if-match", "\"1\""));
    let values: Vec<_> = (0..16).map(|writer| json!({ "writer": writer })).collect();
    let writes = values.iter().map(|value| put(&registry, value, condition));
    let statuses = futures_util::future::join_all(writes).await;
    let won = statuses
        .iter()
        .filter(|answer| answer.status() == StatusCode::OK)
        .count();
    let lost = statuses
        .iter()
        .filter(|answer| answer.status() == StatusCode::PRECONDITION_FAILED)
        .count();
    assert_eq!((won, lost), (1, 15));
    assert_eq!(city(&registry).await["version"], 2);
}

#[tokio::test]
async fn a_watch_sees_a_change_within_a_second() {
    let registry = start().await;
    let path = format!("{CITY}/watch");
    let mut events = Events::open(registry.service("catalog", Method::GET, &path)).await;
    let (name, id, data) = events.next().await.unwrap();
    assert_eq!(
        (name.as_str(), id.as_str(), data),
        ("document", "0", Value::Null)
    );

    for version in 1..=3 {
        let written = put(&registry, &json!({ "version": version }), None).await;
        let begun = Instant::now();
        let written: Value = written.json().await.unwrap();
        let (_, id, data) = events.next().await.unwrap();
        assert!(
            begun.elapsed() < Duration::from_secs(1),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(id, version.to_string());
        assert_eq!(data, written);
    }
}

#[tokio::test]
async fn a_restart_keeps_documents_and_their_history() {
    let town = Town::new();
    let registry = town.start::<Registry>(json!({})).await;
    for version in 1..=3 {
        put(&registry, &json!({ "version": version }), None).await;
    }
    let before = city(&registry).await;
    registry.stop().await;

    let registry = town.start::<Registry>(json!({})).await;
    assert_eq!(city(&registry).await, before);
    let path = format!("{CITY}/history");
    let history = registry.operator(Method::GET, &path).send().await.unwrap();
    let history = json_of(history, StatusCode::OK).await;
    let versions = history["versions"].as_array().unwrap();
    assert_eq!(
        versions
            .iter()
            .map(|one| &one["version"])
            .collect::<Vec<_>>(),
        [3, 2, 1]
    );
}

#[tokio::test]
async fn history_is_bounded() {
    let registry = start_with(json!({ "document_history": 2 })).await;
    for version in 1..=5 {
        put(&registry, &json!({ "version": version }), None).await;
    }
    let path = format!("{CITY}/history");
    let history = registry.operator(Method::GET, &path).send().await.unwrap();
    let history = json_of(history, StatusCode::OK).await;
    let versions = history["versions"].as_array().unwrap();
    assert_eq!(
        versions
            .iter()
            .map(|one| &one["version"])
            .collect::<Vec<_>>(),
        [5, 4]
    );
}

#[tokio::test]
async fn what_cannot_be_a_document_is_refused() {
    let registry = start().await;
    let object = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length));
    for (path, body, status, code) in [
        (
            "city",
            "{".to_owned(),
            StatusCode::BAD_REQUEST,
            "invalid_json",
        ),
        (
            "city",
            "[]".to_owned(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_document",
        ),
        (
            "city",
            "null".to_owned(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_document",
        ),
        (
            "jwks.members",
            "{}".to_owned(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_document",
        ),
        (
            "city",
            object(64 * 1024),
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
        ),
        (
            "City",
            "{}".to_owned(),
            StatusCode::BAD_REQUEST,
            "invalid_name",
        ),
        (
            "..%2fcity",
            "{}".to_owned(),
            StatusCode::BAD_REQUEST,
            "invalid_name",
        ),
    ] {
        let request = registry.operator(Method::PUT, &format!("/v1/documents/{path}"));
        let request = request
            .header("content-type", "application/json")
            .body(body);
        refused(request.send().await.unwrap(), status, code).await;
    }
    let kind = registry
        .operator(Method::PUT, CITY)
        .body("{}")
        .send()
        .await
        .unwrap();
    refused(
        kind,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
    )
    .await;
}

#[tokio::test]
async fn a_value_as_long_as_allowed_is_taken() {
    let registry = start().await;
    let longest = json!({ "a": "x".repeat(64 * 1024 - 8) });
    assert_eq!(longest.to_string().len(), 64 * 1024);
    assert_eq!(
        put(&registry, &longest, None).await.status(),
        StatusCode::CREATED
    );
    let registry = start_with(json!({ "max_body_bytes": 1_000_000 })).await;
    let longer = put(&registry, &json!({ "a": "x".repeat(64 * 1024) }), None).await;
    refused(longer, StatusCode::PAYLOAD_TOO_LARGE, "document_too_large").await;
}
