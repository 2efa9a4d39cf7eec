//! Who gets in.

use axum::Router;
use axum::http::HeaderMap;
use serde_json::json;

use crate::behind::Behind;
use crate::town::{Street, street};

async fn ask(street: &Street, path: &str, token: Option<&str>) -> crate::raw::Answer {
    let line = token.map_or(String::new(), |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    let mut client = street.client().await;
    client
        .say(format!("GET {path} HTTP/1.1\r\nhost: t\r\n{line}\r\n"))
        .await
}

#[tokio::test]
async fn only_good_tokens_open_doors_and_they_are_sent_on() {
    let behind = Behind::router(Router::new().fallback(async |headers: HeaderMap| {
        headers
            .get("authorization")
            .map_or(String::new(), |v| v.to_str().unwrap().to_owned())
    }));
    let street = street(json!({}), &[behind.address]).await;
    let town = street.gateway.town();
    let member = town.member_token("m-1", &[]);
    let admin = town.member_token("a-1", &["admin"]);

    for (path, token, status) in [
        ("/open", None, 200),
        ("/open", Some(&member), 200),
        ("/member", None, 401),
        ("/member", Some(&member), 200),
        ("/member", Some(&admin), 200),
        ("/admin", None, 401),
        ("/admin", Some(&member), 403),
        ("/admin", Some(&admin), 200),
    ] {
        let answer = ask(&street, path, token.map(String::as_str)).await;
        assert_eq!(answer.status, status, "{path}");
        if status == 200 {
            let seen = token.map_or(String::new(), |token| format!("Bearer {token}"));
            assert_eq!(String::from_utf8(answer.body).unwrap(), seen);
        } else {
            answer.problem();
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(challenge.starts_with("Bearer realm="), "{challenge}");
            assert_eq!(challenge.contains("insufficient_scope"), status == 403);
        }
    }
}
