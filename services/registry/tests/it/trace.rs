use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::world::{Caller, start};

/// A write runs to its end whatever its client does, and is part of the client's trace all along.
#[tokio::test]
async fn a_write_and_its_statements_are_one_trace() {
    let registry = start().await;
    let put = registry
        .operator(Method::PUT, "/v1/documents/city")
        .json(&json!({ "log": "info" }));
    assert_eq!(put.send().await.unwrap().status(), StatusCode::CREATED);
    let spans = registry.spans().await;
    let request = spans
        .iter()
        .find(|span| span.name == "PUT /v1/documents/{name}")
        .unwrap();
    for statement in ["SELECT document_versions", "INSERT document_versions"] {
        let span = spans.iter().find(|span| span.name == statement);
        let span = span.unwrap_or_else(|| panic!("no span {statement}"));
        assert_eq!(span.trace_id, request.trace_id, "{statement}");
        assert_eq!(span.parent_span_id, Some(request.span_id), "{statement}");
    }
}
