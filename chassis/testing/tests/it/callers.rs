use std::time::SystemTime;

use identity::{Claims, SigningKey};
use reqwest::header;
use serde_json::json;
use testing::Running;

use crate::{example::Example, problems::problem};

async fn ask(running: &Running, path: &str, authorization: Option<&str>) -> reqwest::Response {
    let mut request = running.http.get(format!("{}{path}", running.url));
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    request.send().await.unwrap()
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

const PATHS: [&str; 4] = ["/member", "/admin", "/service", "/operator"];

#[tokio::test]
async fn whoever_shows_the_right_token_is_let_in() {
    let running = testing::start::<Example>(json!({})).await;
    let town = running.town();
    for (path, token, who) in [
        ("/member", town.member_token("ada", &[]), "ada"),
        ("/admin", town.member_token("ada", &["admin"]), "ada"),
        (
            "/service",
            town.service_token("catalog", "example"),
            "catalog",
        ),
        ("/operator", town.operator_token().to_owned(), "operator"),
    ] {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let response = ask(&running, path, Some(&format!("{scheme} {token}"))).await;
            assert_eq!(response.status(), 200, "{path} {scheme}");
            assert_eq!(response.text().await.unwrap(), who);
        }
    }
}

#[tokio::test]
async fn without_a_token_the_answer_asks_for_one() {
    let running = testing::start::<Example>(json!({})).await;
    for path in PATHS {
        for shown in [None, Some(""), Some("Basic YWRhOmFkYQ=="), Some("Bearer")] {
            let response = ask(&running, path, shown).await;
            assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
            problem(response, 401, "missing_token").await;
        }
    }
}

#[tokio::test]
async fn a_token_that_proves_nothing_is_401_and_says_why() {
    let running = testing::start::<Example>(json!({})).await;
    let town = running.town();
    let refused = async |path: &str, token: &str, code: &str| {
        let response = ask(&running, path, Some(&format!("Bearer {token}"))).await;
        assert_eq!(
            response.headers()[header::WWW_AUTHENTICATE],
            "Bearer error=\"invalid_token\""
        );
        let body = problem(response, 401, code).await;
        assert!(body["detail"].as_str().is_some(), "{body}");
    };
    let key = town.member_key();
    let forger = SigningKey::generate().unwrap();
    let late = Claims::member("ada", &["admin"], now() - 600, 300);
    let early = Claims::member("ada", &["admin"], now() + 600, 300);
    let foreign = Claims {
        aud: "another city".to_owned(),
        ..Claims::member("ada", &["admin"], now(), 300)
    };
    let member = town.member_token("ada", &["admin"]);
    let (signed, signature) = member.rsplit_once('.').unwrap();
    let swapped = town.member_token("bob", &[]);
    let swapped = swapped.rsplit_once('.').unwrap().1;
    for path in ["/member", "/admin"] {
        refused(path, "not-a-token", "token_malformed").await;
        refused(path, &format!("{signed}."), "token_unsigned").await;
        refused(path, &format!("{signed}.{swapped}"), "token_signature").await;
        refused(path, &format!("{signature}.{signed}"), "token_malformed").await;
        refused(
            path,
            &forger.sign(&Claims::member("ada", &[], now(), 300)),
            "token_unknown_key",
        )
        .await;
        refused(path, &key.sign(&late), "token_expired").await;
        refused(path, &key.sign(&early), "token_not_yet_valid").await;
        refused(path, &key.sign(&foreign), "token_audience").await;
        let service = town.service_token("catalog", "example");
        refused(path, &service, "token_unknown_key").await;
    }
    refused("/service", &member, "token_unknown_key").await;
    let elsewhere = town.service_token("catalog", "users");
    refused("/service", &elsewhere, "token_audience").await;
    refused("/operator", &member, "invalid_token").await;
}

#[tokio::test]
async fn a_member_without_the_role_is_known_and_forbidden() {
    let running = testing::start::<Example>(json!({})).await;
    for roles in [&[][..], &["Admin"], &["clerk", "administrator"]] {
        let token = running.town().member_token("ada", roles);
        let response = ask(&running, "/admin", Some(&format!("Bearer {token}"))).await;
        assert!(!response.headers().contains_key(header::WWW_AUTHENTICATE));
        problem(response, 403, "forbidden").await;
    }
}

#[tokio::test]
async fn without_an_operator_token_nobody_is_the_operator() {
    let running = testing::start::<Example>(json!({"operator_token": ""})).await;
    for token in ["Bearer ", "Bearer  ", "Bearer guess"] {
        let response = ask(&running, "/operator", Some(token)).await;
        assert_eq!(response.status(), 401);
    }
}
