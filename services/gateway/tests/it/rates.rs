//! Rate limits hold for the whole process, by member and by address, and are announced.

use axum::Router;
use serde_json::{Value, json};

use crate::behind::Behind;
use crate::raw::Answer;
use crate::town::{Street, street};

fn limits(address: u32, member: u32) -> Value {
    let rate = |burst| json!({"requests": 1, "seconds": 600, "burst": burst});
    json!({"default": {"address": rate(address), "member": rate(member)}})
}

async fn ask(street: &Street, lines: &str) -> Answer {
    let mut client = street.client().await;
    client
        .say(format!("GET /open HTTP/1.1\r\nhost: t\r\n{lines}\r\n"))
        .await
}

#[tokio::test]
async fn one_budget_serves_all_workers() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let settings = json!({"workers": 4, "rates": limits(40, 100)});
    let street = street(settings, &[behind.address]).await;
    let mut statuses = Vec::new();
    let mut last = None;
    // Each connection may land on another worker.
    for _ in 0..60 {
        let answer = ask(&street, "").await;
        statuses.push(answer.status);
        last = Some(answer);
    }
    let passed = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(passed, 40);
    let first_refused = statuses.iter().position(|status| *status == 429).unwrap();
    assert_eq!(first_refused, passed, "{statuses:?}");
    let refused = last.unwrap();
    assert_eq!(refused.problem(), "rate_limited");
    let retry: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=600).contains(&retry), "{retry}");
    assert_eq!(
        refused.header("ratelimit-policy"),
        Some("\"address\";q=40;w=24000")
    );
    let limit = refused.header("ratelimit").unwrap();
    assert!(limit.starts_with("\"address\";r=0;t="), "{limit}");
    let series = "citywatch_gateway_rate_limited_total{scope=\"address\"}";
    assert!(street.metric(series).await >= 20.0);
}

#[tokio::test]
async fn members_have_a_budget_each() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let street = street(json!({"rates": limits(100, 5)}), &[behind.address]).await;
    let line = |member: &str| {
        format!(
            "authorization: Bearer {}\r\n",
            street.gateway.town().member_token(member, &[])
        )
    };
    let (one, other) = (line("m-1"), line("m-2"));
    for left in (0..5).rev() {
        let answer = ask(&street, &one).await;
        assert_eq!(answer.status, 200);
        let limit = answer.header("ratelimit").unwrap();
        assert!(
            limit.starts_with(&format!("\"member\";r={left};t=")),
            "{limit}"
        );
        let policy = answer.header("ratelimit-policy").unwrap();
        assert_eq!(policy, "\"address\";q=100;w=60000, \"member\";q=5;w=3000");
    }
    assert_eq!(ask(&street, &one).await.status, 429);
    // another token of the same member is the same member
    assert_eq!(ask(&street, &line("m-1")).await.status, 429);
    assert_eq!(ask(&street, &other).await.status, 200);
    assert_eq!(ask(&street, "").await.status, 200);
}

#[tokio::test]
async fn nobody_escapes_by_claiming_another_address() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let street = street(json!({"rates": limits(10, 10)}), &[behind.address]).await;
    let mut last = 0;
    for n in 0..12 {
        last = ask(&street, &format!("x-forwarded-for: 203.0.113.{n}\r\n"))
            .await
            .status;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn clients_of_a_trusted_peer_have_a_budget_each_ipv6_by_64() {
    let behind = Behind::router(Router::new().fallback(async || "served"));
    let settings = json!({"rates": limits(3, 10), "trusted_peers": ["127.0.0.1"]});
    let street = street(settings, &[behind.address]).await;
    let from = |address: &str| format!("x-forwarded-for: {address}\r\n");
    for n in 0..3 {
        assert_eq!(ask(&street, &from("203.0.113.9")).await.status, 200);
        assert_eq!(
            ask(&street, &from(&format!("2001:db8::{n}"))).await.status,
            200
        );
    }
    assert_eq!(ask(&street, &from("203.0.113.9")).await.status, 429);
    assert_eq!(ask(&street, &from("2001:db8::99:1")).await.status, 429);
    assert_eq!(ask(&street, &from("2001:db8:0:1::1")).await.status, 200);
    assert_eq!(
        ask(&street, &from("203.0.113.9, 203.0.113.10"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn unknown_routes_count_too() {
    let street = street(json!({"rates": limits(5, 10)}), &[]).await;
    let mut statuses = Vec::new();
    for n in 0..7 {
        let mut client = street.client().await;
        let request = format!("GET /guess/{n} HTTP/1.1\r\nhost: t\r\n\r\n");
        statuses.push(client.say(request).await.status);
    }
    assert_eq!(statuses, [404, 404, 404, 404, 404, 429, 429]);
}
