use registry::Registry;
use reqwest::{Method, StatusCode};
use serde_json::json;
use testing::Town;

use crate::world::{Caller, instance, json_of, refused, start};

#[tokio::test]
async fn nobody_reads_or_writes_without_a_token() {
    let registry = start().await;
    for (method, path) in [
        (Method::POST, "/v1/instances"),
        (Method::PUT, "/v1/instances/catalog/a"),
        (Method::DELETE, "/v1/instances/catalog/a"),
        (Method::GET, "/v1/services"),
        (Method::GET, "/v1/services/catalog"),
        (Method::GET, "/v1/services/catalog/watch"),
        (Method::GET, "/v1/documents"),
        (Method::GET, "/v1/documents/city"),
        (Method::PUT, "/v1/documents/city"),
        (Method::GET, "/v1/documents/city/history"),
        (Method::GET, "/v1/documents/city/watch"),
        (Method::GET, "/api/admin/documents"),
        (Method::GET, "/api/admin/documents/city"),
        (Method::PUT, "/api/admin/documents/city"),
        (Method::GET, "/api/admin/documents/city/history"),
        (Method::GET, "/api/admin/documents/city/watch"),
    ] {
        let none = registry
            .anyone(method.clone(), path)
            .json(&json!({}))
            .send()
            .await
            .unwrap();
        refused(none, StatusCode::UNAUTHORIZED, "missing_token").await;
        for token in ["", "no-token", "a.b.c"] {
            let bad = registry
                .anyone(method.clone(), path)
                .bearer_auth(token)
                .json(&json!({}));
            let bad = bad.send().await.unwrap();
            assert_eq!(
                bad.status(),
                StatusCode::UNAUTHORIZED,
                "{method} {path} {token:?}"
            );
            assert!(
                bad.headers().contains_key("www-authenticate"),
                "{method} {path}"
            );
        }
        // Signed well, for someone else.
        let elsewhere = registry.town().service_token("catalog", "users");
        let bad = registry
            .anyone(method.clone(), path)
            .bearer_auth(elsewhere)
            .json(&json!({}));
        let bad = bad.send().await.unwrap();
        assert_eq!(bad.status(), StatusCode::UNAUTHORIZED, "{method} {path}");
    }
}

#[tokio::test]
async fn a_service_registers_itself_and_no_other() {
    let registry = start().await;
    registry.register("a", 1001).await;
    let post = registry.service("users", Method::POST, "/v1/instances");
    let post = post
        .json(&instance("catalog", "b", 1002))
        .send()
        .await
        .unwrap();
    refused(post, StatusCode::FORBIDDEN, "forbidden").await;
    for method in [Method::PUT, Method::DELETE] {
        let other = registry
            .service("users", method, "/v1/instances/catalog/a")
            .send()
            .await;
        refused(other.unwrap(), StatusCode::FORBIDDEN, "forbidden").await;
    }
    assert_eq!(
        registry.catalog().await["instances"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn services_read_documents_and_only_users_writes_its_keys() {
    let registry = start().await;
    let keys = json!({ "keys": [registry.town().member_key().public_jwk()] });
    let put = |service: &str, name: &str| {
        registry
            .service(service, Method::PUT, &format!("/v1/documents/{name}"))
            .json(&keys)
    };
    for (service, name) in [
        ("users", "city"),
        ("users", "users"),
        ("users", "jwks.services"),
        ("catalog", "catalog"),
        ("catalog", "jwks.members"),
        ("registry", "jwks.members"),
    ] {
        let write = put(service, name).send().await.unwrap();
        refused(write, StatusCode::FORBIDDEN, "forbidden").await;
    }
    let written = json_of(
        put("users", "jwks.members").send().await.unwrap(),
        StatusCode::CREATED,
    );
    assert_eq!(written.await["updated_by"], "users");
    let read = registry
        .service("gateway", Method::GET, "/v1/documents/jwks.members")
        .send()
        .await;
    assert_eq!(
        json_of(read.unwrap(), StatusCode::OK).await["value"]["keys"],
        keys["keys"]
    );
}

#[tokio::test]
async fn administrators_configure_but_do_not_say_whose_keys_count() {
    let registry = start().await;
    let admin = |method: Method, path: &str| registry.member(&["admin"], method, path);
    let path = "/api/admin/documents/catalog";
    let written = admin(Method::PUT, path)
        .json(&json!({ "page_limit": 20 }))
        .send()
        .await;
    let written = json_of(written.unwrap(), StatusCode::CREATED).await;
    assert_eq!(
        written["updated_by"],
        "019aa3b2-7c7e-7bb0-a3a2-6c1c2f9f2a11"
    );
    let read = admin(Method::GET, path).send().await.unwrap();
    assert_eq!(json_of(read, StatusCode::OK).await, written);
    for path in [
        "/api/admin/documents",
        "/api/admin/documents/catalog/history",
    ] {
        let read = admin(Method::GET, path).send().await.unwrap();
        assert_eq!(read.status(), StatusCode::OK, "{path}");
    }
    let stale = admin(Method::PUT, path)
        .header("if-match", "\"7\"")
        .json(&json!({}));
    let stale = stale.send().await.unwrap();
    refused(stale, StatusCode::PRECONDITION_FAILED, "version_conflict").await;

    for name in ["jwks.members", "jwks.services"] {
        let path = format!("/api/admin/documents/{name}");
        let keys = admin(Method::PUT, &path)
            .json(&json!({ "keys": [] }))
            .send()
            .await
            .unwrap();
        refused(keys, StatusCode::FORBIDDEN, "forbidden").await;
    }
    let plain = registry
        .member(&[], Method::GET, path)
        .send()
        .await
        .unwrap();
    refused(plain, StatusCode::FORBIDDEN, "forbidden").await;
    // A member's token opens nothing of the services', nor a service's the administrators'.
    let member = admin(Method::GET, "/v1/documents").send().await.unwrap();
    assert_eq!(member.status(), StatusCode::UNAUTHORIZED);
    let service = registry
        .service("users", Method::GET, path)
        .send()
        .await
        .unwrap();
    assert_eq!(service.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_keys_it_starts_with_are_believed_and_served() {
    let town = Town::new();
    let file = town.folder().join("services.jwks");
    std::fs::write(&file, town.service_jwks().to_string()).unwrap();
    let registry = town
        .start::<Registry>(json!({ "service_keys": file }))
        .await;
    let read = registry.service("gateway", Method::GET, "/v1/documents/jwks.services");
    let document = json_of(read.send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(document["value"], town.service_jwks());
    assert_eq!(document["updated_by"], "registry");
    assert_eq!(document["version"], 1);
    registry.stop().await;

    // Another start with the same keys is no new version; one with others is, and the old are out.
    let registry = town
        .start::<Registry>(json!({ "service_keys": file }))
        .await;
    let read = registry
        .operator(Method::GET, "/v1/documents/jwks.services")
        .send()
        .await
        .unwrap();
    assert_eq!(json_of(read, StatusCode::OK).await["version"], 1);
    registry.stop().await;

    std::fs::write(&file, Town::new().service_jwks().to_string()).unwrap();
    let registry = town
        .start::<Registry>(json!({ "service_keys": file }))
        .await;
    let read = registry.service("gateway", Method::GET, "/v1/documents/jwks.services");
    let unknown = read.send().await.unwrap();
    assert_eq!(unknown.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn members_keys_that_users_publishes_are_believed_here_at_once() {
    let registry = start().await;
    let stranger = Town::new();
    let token = stranger.member_token("019aa3b2-7c7e-7bb0-a3a2-6c1c2f9f2a11", &["admin"]);
    let read = || {
        registry
            .anyone(Method::GET, "/api/admin/documents")
            .bearer_auth(&token)
            .send()
    };
    assert_eq!(read().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let keys = json!({ "keys": [stranger.member_key().public_jwk()] });
    let put = registry
        .service("users", Method::PUT, "/v1/documents/jwks.members")
        .json(&keys);
    assert_eq!(put.send().await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(read().await.unwrap().status(), StatusCode::OK);
}
