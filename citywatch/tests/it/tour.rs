//! The README's tour: sign up, log in, search, look at the trace; change a setting; grow.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::harness::{City, signal, trace_id, within};

/// What the issue of a live change allows.
const A_SECOND: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn a_city_of_three_catalogs_serves_is_seen_and_is_steered() {
    let city = City::raise(&["--replicas", "catalog=3"], &[]).await;
    a_request_is_one_trace_and_leaves_its_id_in_every_log(&city).await;
    the_first_admin_is_told_once_and_is_let_in(&city).await;
    a_document_changes_a_rate_limit_and_a_log_level_within_a_second(&city).await;
    load_spreads_over_the_replicas(&city).await;
    a_killed_replica_loses_no_request(&city).await;
    shoppers_are_all_served(&city).await;
    city.stop().await;
}

async fn a_request_is_one_trace_and_leaves_its_id_in_every_log(city: &City) {
    let token = city.member("mina@example.com").await;
    let found = city.get("/api/products?query=coffee").await.unwrap();
    assert_eq!(found.status(), StatusCode::OK);
    let search = trace_id(&found);
    let page: Value = found.json().await.unwrap();
    assert!(!page["items"].as_array().unwrap().is_empty(), "{page}");
    let me = city.as_member(Method::GET, "/api/users/me", &token).await;
    assert_eq!(me.status(), StatusCode::OK);
    let profile = trace_id(&me);

    for (id, services) in [
        (search, ["catalog", "gateway"]),
        (profile, ["gateway", "users"]),
    ] {
        let whole = within(SOON, async || {
            let trace = city.trace(&id).await;
            trace.is_some_and(|trace| trace.services.keys().eq(&services))
        });
        assert!(
            whole.await.is_some(),
            "{id}: {:?}\n{}",
            city.trace(&id).await,
            city.said()
        );
        let trace = city.trace(&id).await.unwrap();
        assert_eq!((trace.roots, trace.orphans), (1, 0), "{trace:?}");

        let drawn = city.prints(&["trace", &id]).await;
        for service in services {
            assert!(drawn.contains(service), "{drawn}");
            let logged = within(SOON, async || city.logs_with(service, &id) > 0).await;
            assert!(
                logged.is_some(),
                "no log line of {service} has {id}\n{}",
                city.said()
            );
        }
        assert!(drawn.contains('█'), "{drawn}");
        let raw: Value =
            serde_json::from_str(&city.prints(&["trace", &id, "--json"]).await).unwrap();
        assert_eq!(raw["spans"].as_array().unwrap().len(), trace.spans);
    }
}

async fn the_first_admin_is_told_once_and_is_let_in(city: &City) {
    let admin = &city.ready["first_admin"];
    let (email, password) = (
        admin["email"].as_str().unwrap(),
        admin["password"].as_str().unwrap(),
    );
    let token = city.log_in(email, password).await;
    let documents = city
        .as_member(Method::GET, "/api/admin/documents", &token)
        .await;
    assert_eq!(documents.status(), StatusCode::OK);
    for service in ["gateway", "registry", "users", "catalog", "observatory"] {
        assert_eq!(
            city.logs_with(service, password),
            0,
            "the password is in a log of {service}"
        );
    }
    assert!(!city.data().join("first-admin-password").exists());
}

async fn a_document_changes_a_rate_limit_and_a_log_level_within_a_second(city: &City) {
    let settings = city.prints(&["settings", "gateway", "--json"]).await;
    let settings: Value = serde_json::from_str(&settings).unwrap();
    let all = settings["gateway"].as_array().unwrap();
    let mut rates = all.iter().find(|key| key["name"] == "rates").unwrap()["default"].clone();
    rates["default"]["address"] = json!({"requests": 1, "seconds": 60, "burst": 1});
    let said = city
        .prints(&["config", "set", "gateway", &format!("rates={rates}")])
        .await;
    assert!(said.contains("gateway is now version 1"), "{said}");
    let status = async || city.get("/api/products").await.unwrap().status();
    let limited = within(A_SECOND, async || {
        status().await == StatusCode::TOO_MANY_REQUESTS
    })
    .await;
    assert!(
        limited.is_some(),
        "no limit within a second\n{}",
        city.said()
    );
    city.prints(&["config", "set", "gateway", "rates="]).await;
    let free = within(A_SECOND, async || {
        // Two in a row: one alone could be the bucket's own.
        status().await == StatusCode::OK && status().await == StatusCode::OK
    });
    assert!(
        free.await.is_some(),
        "still limited after a second\n{}",
        city.said()
    );

    for (level, logs) in [("warn", false), ("info", true)] {
        city.prints(&["config", "set", "catalog", &format!("log={level}")])
            .await;
        let changed = within(A_SECOND, async || access_is_logged(city).await == logs).await;
        assert!(changed.is_some(), "{level} after a second\n{}", city.said());
    }
    let history = city.prints(&["config", "history", "catalog"]).await;
    assert_eq!(history.lines().count(), 2, "{history}");
}

/// Whether a request that is made now leaves a line in the log of the service that answers it.
async fn access_is_logged(city: &City) -> bool {
    let id = trace_id(&city.get("/api/products").await.unwrap());
    let limit = Duration::from_millis(200);
    let logged = within(limit, async || city.logs_with("catalog", &id) > 0).await;
    logged.is_some()
}

/// Requests that each catalog answered.
async fn answered(city: &City) -> BTreeMap<String, f64> {
    let state = city.state();
    let mut answered = BTreeMap::new();
    for (name, process) in state["processes"].as_object().unwrap() {
        if process["service"] == "catalog"
            && let Some(admin) = process["admin"].as_str()
        {
            let page = city
                .http
                .get(format!("http://{admin}/metrics"))
                .send()
                .await
                .unwrap();
            let page = page.text().await.unwrap();
            let count = page
                .lines()
                .filter(|line| line.starts_with("http_server_request_duration_seconds_count"))
                .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
                .sum();
            answered.insert(name.clone(), count);
        }
    }
    answered
}

async fn load_spreads_over_the_replicas(city: &City) {
    let before = answered(city).await;
    assert_eq!(before.len(), 3, "{before:?}");
    let requests = 90;
    for _ in 0..requests {
        assert_eq!(
            city.get("/api/products").await.unwrap().status(),
            StatusCode::OK
        );
    }
    let after = answered(city).await;
    for (name, count) in &after {
        // Two choices, least in flight: nearly even; a third of an even share is far from chance.
        let share = count - before[name];
        assert!(
            share >= f64::from(requests) / 9.0,
            "{name} answered {share} of {requests}"
        );
    }
}

async fn a_killed_replica_loses_no_request(city: &City) {
    let killed = city.pid("catalog-2").unwrap();
    let asking = async {
        let mut lost = Vec::new();
        for round in 0..200 {
            if round == 40 {
                signal(killed, Signal::KILL);
            }
            let (one, other) = tokio::join!(city.get("/api/products"), city.get("/api/categories"));
            for answer in [one, other] {
                match answer {
                    Ok(answer) if answer.status() == StatusCode::OK => {}
                    Ok(answer) => lost.push(format!("{round}: {}", answer.status())),
                    Err(error) => lost.push(format!("{round}: {error}")),
                }
            }
        }
        lost
    };
    let lost = asking.await;
    assert!(lost.is_empty(), "{lost:?}\n{}", city.said());
    let back = within(SOON, async || {
        city.pid("catalog-2").is_some_and(|pid| pid != killed)
    })
    .await;
    assert!(back.is_some(), "{}", city.said());
}

async fn shoppers_are_all_served(city: &City) {
    let arguments = [
        "load",
        "--rate",
        "40/s",
        "--duration",
        "2s",
        "--seed",
        "7",
        "--json",
    ];
    let report: Value = serde_json::from_str(&city.prints(&arguments).await).unwrap();
    assert_eq!(report["errors"], 0, "{report}");
    assert!(report["requests"].as_u64().unwrap() > 40, "{report}");
}
