//! Who gets in: forged, expired, misdirected and unsigned tokens do not, however many come.

use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::http::HeaderMap;
use identity::{Claims, SigningKey};
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

fn now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// The token, with some of its parts replaced.
fn forged(token: &str, change: impl Fn(&mut Vec<String>)) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    change(&mut parts);
    parts.join(".")
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

#[tokio::test]
async fn bad_tokens_are_refused_everywhere_even_where_none_is_needed() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let street = street(json!({}), &[behind.address]).await;
    let town = street.gateway.town();
    let good = town.member_token("m-1", &[]);
    let sign = |claims: Claims| town.member_key().sign(&claims);
    let stranger = SigningKey::generate().unwrap();
    let admin = town.member_token("m-1", &["admin"]);
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let bad = [
        ("nonsense", "nonsense".to_owned()),
        ("expired", sign(Claims::member("m", &[], now() - 600, 300))),
        ("not yet", sign(Claims::member("m", &[], now() + 600, 300))),
        (
            "audience",
            sign(Claims {
                aud: "elsewhere".into(),
                ..Claims::member("m", &[], now(), 300)
            }),
        ),
        (
            "issuer",
            sign(Claims {
                iss: "elsewhere".into(),
                ..Claims::member("m", &[], now(), 300)
            }),
        ),
        (
            "stranger",
            stranger.sign(&Claims::member("m", &[], now(), 300)),
        ),
        ("service", town.service_token("catalog", "citywatch")),
        (
            "unsigned",
            forged(&good, |parts| parts[0] = none.to_owned()),
        ),
        ("no signature", forged(&good, |parts| parts[2].clear())),
        (
            "two parts",
            forged(&good, |parts| {
                parts.pop();
            }),
        ),
        (
            "other claims",
            forged(&good, |parts| {
                parts[1] = admin.split('.').nth(1).unwrap().into();
            }),
        ),
        (
            "signature cut",
            forged(&good, |parts| {
                parts[2].truncate(40);
            }),
        ),
        ("long", "a".repeat(9_000)),
    ];
    for (name, token) in bad {
        for path in ["/open", "/member", "/admin"] {
            let answer = ask(&street, path, Some(&token)).await;
            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (401, "invalid_token"),
                "{name}"
            );
            let challenge = answer.header("www-authenticate").unwrap();
            assert!(
                challenge.contains("error=\"invalid_token\""),
                "{name}: {challenge}"
            );
        }
    }
    // a cached good token does not vouch for a changed one
    assert_eq!(ask(&street, "/member", Some(&good)).await.status, 200);
    let changed = forged(&good, |parts| {
        parts[1] = admin.split('.').nth(1).unwrap().into();
    });
    assert_eq!(ask(&street, "/admin", Some(&changed)).await.status, 401);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_members_nothing() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let street = street(json!({"workers": 2}), &[behind.address]).await;
    let good = street.gateway.town().member_token("m-1", &[]);
    let series = street.series().await;
    let mut client = street.client().await;
    let flood = async {
        let started = Instant::now();
        let mut sent = 0_u32;
        while sent < 1_000 {
            let key = SigningKey::generate().unwrap();
            let token = key.sign(&Claims::member("m", &[], now(), 300));
            let request =
                format!("GET /member HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {token}\r\n\r\n");
            assert_eq!(client.say(request).await.status, 401);
            sent += 1;
        }
        started.elapsed()
    };
    let members = async {
        let mut member = street.client().await;
        let request =
            format!("GET /member HTTP/1.1\r\nhost: t\r\nauthorization: Bearer {good}\r\n\r\n");
        for _ in 0..50 {
            assert_eq!(member.say(&request).await.status, 200);
        }
    };
    let (took, ()) = tokio::join!(flood, members);
    assert!(took < Duration::from_secs(20), "{took:?}");
    let refused = "citywatch_gateway_rejections_total{reason=\"invalid_token\"}";
    assert!(street.metric(refused).await >= 1_000.0);
    let after = street.series().await;
    let new: Vec<_> = after.iter().filter(|line| !series.contains(line)).collect();
    assert!(new.iter().all(|line| line.contains("/member")), "{new:?}");
}

#[tokio::test]
async fn ambiguous_credentials_are_a_bad_request() {
    let street = street(json!({}), &[]).await;
    for lines in ["Bearer a\r\nauthorization: Bearer b", "Bearer", "Bearer "] {
        let request = format!("GET /open HTTP/1.1\r\nhost: t\r\nauthorization: {lines}\r\n\r\n");
        let answer = street.client().await.say(request).await;
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (400, "ambiguous_credentials")
        );
    }
}
