use reqwest::Method;
use serde_json::{Value, json};
use testing::Traced;

use crate::client::{PASSWORD, start};

fn text<'a>(traced: &'a Traced, field: &str) -> &'a str {
    traced.body[field].as_str().unwrap()
}

#[tokio::test]
async fn each_call_is_one_tree_below_its_callers_span() {
    let service = start().await;
    let call = async |method, path: &str, body: Value| {
        let url = format!("{}{path}", service.url);
        let request = service.http.request(method, url).json(&body);
        service.traced(request).await
    };
    let email = "mina@example.com";
    let mina = json!({ "email": email, "password": PASSWORD, "name": "Mina Kim" });
    let signed_up = call(Method::POST, "/api/users", mina).await;
    signed_up.assert(
        201,
        "users POST /api/users
           users argon2id
           users BEGIN
           users INSERT members
           users publish users
           users INSERT outbox
           users COMMIT",
    );

    let wrong = json!({ "email": email, "password": "not her password" });
    let refused = call(Method::POST, "/api/sessions", wrong).await;
    refused.assert(
        401,
        "users POST /api/sessions
           users SELECT members
           users argon2id",
    );

    let right = json!({ "email": email, "password": PASSWORD });
    let logged_in = call(Method::POST, "/api/sessions", right).await;
    logged_in.assert(
        200,
        "users POST /api/sessions
           users SELECT members
           users argon2id
           users BEGIN
           users INSERT sessions
           users INSERT refresh_tokens
           users DELETE sessions
           users COMMIT",
    );

    let me = service.http.get(format!("{}/api/users/me", service.url));
    let me = me.bearer_auth(text(&logged_in, "access_token"));
    service.traced(me).await.assert(
        200,
        "users GET /api/users/me
           users SELECT members",
    );

    let session = json!({ "refresh_token": text(&logged_in, "refresh_token") });
    let refreshed = call(Method::POST, "/api/sessions/refresh", session).await;
    refreshed.assert(
        200,
        "users POST /api/sessions/refresh
           users BEGIN
           users UPDATE refresh_tokens
           users SELECT refresh_tokens
           users INSERT refresh_tokens
           users UPDATE sessions
           users COMMIT",
    );

    let session = json!({ "refresh_token": text(&refreshed, "refresh_token") });
    let logged_out = call(Method::DELETE, "/api/sessions", session).await;
    logged_out.assert(
        204,
        "users DELETE /api/sessions
           users UPDATE sessions",
    );

    let shown = format!("{:?}", service.spans().await);
    for secret in [email, PASSWORD, text(&refreshed, "refresh_token")] {
        assert!(!shown.contains(secret), "{secret}");
    }
}
