//! What board is told of members.

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use testing::{Running, assert_problem};

use crate::client::{PASSWORD, post, start};

fn ask(service: &Running, caller: &str, ids: &[String]) -> RequestBuilder {
    let url = format!("{}/inner/v1/names?ids={}", service.url, ids.join(","));
    let token = service.town().service_token(caller, "users");
    service.http.get(url).bearer_auth(token)
}

async fn signed_up(service: &Running, email: &str, name: &str) -> String {
    let body = json!({ "email": email, "password": PASSWORD, "name": name });
    post(service, "/api/users", body).await.text("id")
}

#[tokio::test]
async fn names_are_told_of_those_who_are_known_and_nothing_else_is() {
    let service = start().await;
    let mina = signed_up(&service, "mina@example.com", "김민아").await;
    let jo = signed_up(&service, "jo@example.com", "Jo").await;
    let stranger = "00000000-0000-7000-8000-000000000000".to_owned();
    let ids = [
        jo.clone(),
        stranger,
        "0198-mina".to_owned(),
        mina.clone(),
        jo.clone(),
    ];
    let traced = service.traced(ask(&service, "board", &ids)).await;
    traced.assert(
        200,
        "users GET /inner/v1/names
           users SELECT members",
    );
    let named = json!([{ "id": mina, "name": "김민아" }, { "id": jo, "name": "Jo" }]);
    assert_eq!(traced.body, json!({ "items": named }));
    let nobody: Value = ask(&service, "board", &[])
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(nobody, json!({ "items": [] }));
}

#[tokio::test]
async fn only_board_may_ask_and_not_for_everybody() {
    let service = start().await;
    let mina = signed_up(&service, "mina@example.com", "Mina").await;
    let asked = ask(&service, "orders", std::slice::from_ref(&mina)).send();
    assert_problem(asked.await.unwrap(), 403, "forbidden").await;
    let anonymous = service
        .http
        .get(format!("{}/inner/v1/names?ids={mina}", service.url));
    assert_problem(anonymous.send().await.unwrap(), 401, "missing_token").await;
    let member = service.town().member_token(&mina, &[]);
    let url = format!("{}/inner/v1/names?ids={mina}", service.url);
    let asked = service.http.get(url).bearer_auth(member).send();
    assert_eq!(asked.await.unwrap().status(), 401);

    let many = vec![mina; 101];
    let asked = ask(&service, "board", &many).send();
    assert_problem(asked.await.unwrap(), 400, "too_many_ids").await;
    let asked = ask(&service, "board", &many[..100]).send();
    assert_eq!(asked.await.unwrap().status(), 200);
}
