//! Two real services, one of which calls the other.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use app::{
    Problem,
    extract::{Path, Query},
};
use axum::{Extension, Json};
use calls::{Calls, Deadline, Edge, Retry, deadline};
use http::StatusCode;
use serde_json::{Value, json};
use telemetry::testing::Tree;
use testing::{Running, Town, eventually};

use crate::{
    example::Example,
    gate::{Gate, within},
    problems::problem,
};

/// An example calls another example.
static EDGE: Edge = Edge {
    caller: "example",
    callee: "example",
    operation: "relay",
    deadline: Duration::from_secs(20),
    retry: Retry::Idempotent,
    fallback: "502",
};

fn left(deadline: Option<Deadline>) -> Value {
    let now = std::time::Instant::now();
    deadline.map_or(Value::Null, |deadline| {
        let millis = deadline.remaining(now).as_millis();
        json!(u64::try_from(millis).unwrap())
    })
}

/// What is left of the request's time, in milliseconds: here and in work that goes on without it.
pub(crate) async fn budgets() -> Result<Json<Value>, Problem> {
    let detached = app::detached(async { Ok::<_, Problem>(deadline::current()) }).await?;
    let kept = app::detached(deadline::kept(async {
        Ok::<_, Problem>(deadline::current())
    }));
    Ok(Json(json!({
        "request": left(deadline::current()),
        "detached": left(detached),
        "kept": left(kept.await?),
    })))
}

/// Asks another instance, after a pause, and hands its answer on.
pub(crate) async fn relay(
    Extension(calls): Extension<Calls>,
    Path(pause_ms): Path<u64>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<(StatusCode, String), Problem> {
    tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    let path = query["path"].as_str();
    let failed = |error: calls::CallError| {
        Problem::new(StatusCode::BAD_GATEWAY, error.error_type(), "Not relayed")
    };
    let call = calls.to(&EDGE).get("/{path}", path);
    let answer = call.send().await.map_err(failed)?;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    Ok((answer.status, text))
}

/// An instance that knows the others of its town by these addresses.
async fn caller(town: &Town, callees: &[SocketAddr], overrides: Value) -> Running {
    let mut settings = json!({ "instances": { "example": callees } });
    let overrides = overrides.as_object().unwrap().clone();
    settings.as_object_mut().unwrap().extend(overrides);
    town.start::<Example>(settings).await
}

fn url(caller: &Running, pause_ms: u64, path: &str) -> String {
    format!("{}/relay/{pause_ms}?path={path}", caller.url)
}

async fn budget(caller: &Running, pause_ms: u64, told: Option<u64>) -> u64 {
    let mut request = caller.http.get(url(caller, pause_ms, "/budgets"));
    if let Some(told) = told {
        request = request.header("citywatch-timeout-ms", told);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200);
    let budgets: Value = response.json().await.unwrap();
    assert_eq!(budgets["detached"], Value::Null, "it must not be half done");
    let kept = budgets["kept"].as_u64().unwrap();
    let request = budgets["request"].as_u64().unwrap();
    assert!(kept.abs_diff(request) < 1_000, "{kept}, {request}");
    request
}

#[tokio::test]
async fn a_callee_has_what_its_caller_has_left() {
    let town = Town::new();
    let callee = town.start::<Example>(json!({})).await;
    let settings = json!({ "request_timeout_ms": 15_000 });
    let caller = caller(&town, &[callee.address()], settings).await;
    let left = budget(&caller, 0, Some(9_000)).await;
    assert!((1..=9_000).contains(&left), "{left}");
    let left = budget(&caller, 300, Some(9_000)).await;
    assert!((1..=8_700).contains(&left), "{left}");
    // Nobody said: its caller's own limit is 15 s, its own is 10 s.
    let left = budget(&caller, 0, None).await;
    assert!((9_001..=10_000).contains(&left), "{left}");
    // More than the service gives to any request is not to be had.
    let left = budget(&caller, 0, Some(3_600_000)).await;
    assert!((9_001..=10_000).contains(&left), "{left}");
}

#[tokio::test]
async fn nobody_works_for_a_caller_that_no_longer_waits() {
    let running = testing::start::<Example>(json!({ "request_timeout_ms": 60_000 })).await;
    let gate = Gate::new();
    let request = running
        .http
        .get(format!("{}/wait/{}", running.url, gate.name()));
    let request = request.header("citywatch-timeout-ms", 50);
    let response = within(request.send()).await.unwrap();
    problem(response, 504, "timeout").await;
    gate.dropped().await;
    assert_eq!(gate.passed(), None);
}

#[tokio::test]
async fn a_call_is_one_tree_and_shows_who_calls() {
    let town = Town::new();
    let callee = town.start::<Example>(json!({})).await;
    let caller = caller(&town, &[callee.address()], json!({})).await;
    let response = caller.http.get(url(&caller, 0, "/service")).send();
    let response = response.await.unwrap();
    assert_eq!(response.text().await.unwrap(), "example");
    let spans = eventually("both services' spans have ended", || async {
        let spans = [caller.spans().await, callee.spans().await].concat();
        (spans.len() == 3).then_some(spans)
    })
    .await;
    Tree::one(spans).assert_shape(
        "example GET /relay/{pause_ms}
           example GET /{path}
             example GET /service",
    );
}

#[tokio::test]
async fn the_settings_are_the_terms_of_calls() {
    let town = Town::new();
    let gone = town.start::<Example>(json!({})).await;
    let address = gone.address();
    gone.stop().await;
    let attempts = async |settings: Value| {
        let caller = caller(&town, &[address], settings).await;
        for _ in 0..2 {
            let response = caller.http.get(url(&caller, 0, "/budgets")).send();
            assert_eq!(response.await.unwrap().status(), 502);
        }
        let page = caller.metrics().await;
        let series = "citywatch_calls_attempts_total{callee=\"example\"} ";
        let value = page.lines().find_map(|line| line.strip_prefix(series));
        value.unwrap().parse::<f64>().unwrap()
    };
    let never = json!({ "retry_budget_percent": 0, "breaker_consecutive_failures": 0 });
    assert_eq!(attempts(never).await, 2.0);
    let always = json!({ "retry_budget_percent": 100, "breaker_consecutive_failures": 0 });
    assert_eq!(attempts(always).await, 6.0);
    let first_failure = json!({ "retry_budget_percent": 0, "breaker_consecutive_failures": 1 });
    assert_eq!(attempts(first_failure).await, 1.0);
}
