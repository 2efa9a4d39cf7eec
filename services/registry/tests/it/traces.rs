use reqwest::Method;
use serde_json::json;

use crate::world::{Caller, instance, start};

/// A write runs to its end whatever its client does, and is part of the client's trace all along.
#[tokio::test]
async fn each_call_is_one_tree_below_its_callers_span() {
    let registry = start().await;
    let operator = |method, path| registry.operator(method, path);
    let service = |method, path| registry.service("catalog", method, path);
    let write = |value| operator(Method::PUT, "/v1/documents/city").json(&json!({ "log": value }));
    let calls = [
        (
            write("info"),
            201,
            "registry PUT /v1/documents/{name}
               registry BEGIN
               registry SELECT document_versions
               registry SELECT document_versions
               registry INSERT document_versions
               registry DELETE document_versions
               registry COMMIT",
        ),
        (
            write("info"),
            200,
            "registry PUT /v1/documents/{name}
               registry BEGIN
               registry SELECT document_versions
               registry ROLLBACK",
        ),
        (
            write("debug").header("if-match", "\"7\""),
            412,
            "registry PUT /v1/documents/{name}
               registry BEGIN
               registry SELECT document_versions
               registry ROLLBACK",
        ),
        (
            service(Method::GET, "/v1/documents/city"),
            200,
            "registry GET /v1/documents/{name}",
        ),
        (
            operator(Method::GET, "/v1/documents/city/history"),
            200,
            "registry GET /v1/documents/{name}/history
               registry SELECT document_versions",
        ),
        (
            service(Method::POST, "/v1/instances").json(&instance("catalog", "one", 9_000)),
            201,
            "registry POST /v1/instances",
        ),
        (
            service(Method::GET, "/v1/services/catalog"),
            200,
            "registry GET /v1/services/{service}",
        ),
    ];
    for (request, status, shape) in calls {
        registry.traced(request).await.assert(status, shape);
    }
}
