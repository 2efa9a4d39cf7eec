//! What happens when something dies: any service, the registry, or `up` itself.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::Value;

use super::harness::{City, alive, signal, within};

/// What a killed service may take to be back and serving.
const BACK: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn every_killed_service_is_back_and_serving() {
    let city = City::raise(&[], &[]).await;
    let token = city.member("mina@example.com").await;
    the_doctor_finds_all_well(&city).await;
    for service in ["catalog", "users", "gateway", "registry", "observatory"] {
        let name = format!("{service}-1");
        let killed = city.pid(&name).unwrap();
        signal(killed, Signal::KILL);
        let serving = within(BACK, async || {
            city.pid(&name).is_some_and(|pid| pid != killed) && serves(&city, service, &token).await
        });
        assert!(
            serving.await.is_some(),
            "{service} is not back in {BACK:?}\n{}",
            city.said()
        );
    }
    the_doctor_names_what_is_unwell(&city).await;
    city.stop().await;
}

/// Asks each service what its clients ask it.
async fn serves(city: &City, service: &str, token: &str) -> bool {
    let ok = |answer: reqwest::Result<reqwest::Response>| {
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    };
    let ask = async |part: &str, path: &str| {
        ok(city
            .http
            .get(format!("{}{path}", city.address(part)))
            .send()
            .await)
    };
    match service {
        "users" => {
            let url = format!("{}/api/users/me", city.address("gateway"));
            ok(city
                .http
                .request(Method::GET, url)
                .bearer_auth(token)
                .send()
                .await)
        }
        "registry" => ask("registry", "/prometheus/targets").await,
        "observatory" => ask("observatory", "/api/services").await,
        _ => ask("gateway", "/api/products").await,
    }
}

async fn doctor(city: &City) -> (bool, Value) {
    let output = city.citywatch(&["doctor", "--json"]).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.success(), report["well"] == true, "{report}");
    (output.status.success(), report)
}

async fn the_doctor_finds_all_well(city: &City) {
    let bytes = |report: &Value, key: &str| report["memory"][key].as_u64().unwrap();
    // Well, and with the first spans in: their bytes are told apart from the rest.
    let well = within(SOON, async || {
        let (well, report) = doctor(city).await;
        well && bytes(&report, "total_without_spans_bytes") < bytes(&report, "total_bytes")
    });
    let well = well.await;
    let (_, report) = doctor(city).await;
    assert!(well.is_some(), "{report:#}\n{}", city.said());
    // `up`, every service and the bank, each with a share of memory.
    let processes = report["memory"]["processes"].as_array().unwrap();
    assert_eq!(processes.len(), city.pids().len(), "{report:#}");
    assert!(
        processes
            .iter()
            .all(|process| process["pss_bytes"].as_u64().unwrap() > 100_000)
    );
}

async fn the_doctor_names_what_is_unwell(city: &City) {
    let unwell = |report: &Value, part: &str| {
        report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|finding| finding["part"] == part && finding["level"] == "unwell")
    };
    city.prints(&["hold", "catalog"]).await;
    let key = city.data().join("keys/users.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (well, report) = doctor(city).await;
    assert!(
        !well && unwell(&report, "catalog-1") && unwell(&report, "data folder"),
        "{report:#}"
    );

    city.prints(&["release", "catalog"]).await;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let healed = within(SOON, async || doctor(city).await.0).await;
    assert!(
        healed.is_some(),
        "{:#}\n{}",
        doctor(city).await.1,
        city.said()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_city_goes_on_without_its_registry() {
    let lease = ("CITYWATCH_REGISTRY__LEASE_TTL_MS", "500");
    let city = City::raise(&["--no-restart"], &[lease]).await;
    let token = city.member("mina@example.com").await;
    city.prints(&["hold", "registry", "--crash"]).await;
    assert_eq!(city.pid("registry-1"), None);

    // Six leases long: whoever believed in leases alone would have nobody left to call.
    let gone_on = within(Duration::from_secs(3), async || {
        let (me, products) = tokio::join!(
            city.as_member(Method::GET, "/api/users/me", &token),
            city.get("/api/products")
        );
        assert_eq!(me.status(), StatusCode::OK, "{}", city.said());
        assert_eq!(
            products.unwrap().status(),
            StatusCode::OK,
            "{}",
            city.said()
        );
        false
    });
    assert!(gone_on.await.is_none());
    let newcomer = city.member("juno@example.com").await;
    assert!(!newcomer.is_empty());

    city.prints(&["release", "registry"]).await;
    city.prints(&["hold", "users", "--crash"]).await;
    city.prints(&["release", "users"]).await;
    let rejoined = within(SOON, async || {
        city.as_member(Method::GET, "/api/users/me", &token)
            .await
            .status()
            == StatusCode::OK
            && doctor(&city).await.0
    });
    assert!(
        rejoined.await.is_some(),
        "{:#}\n{}",
        doctor(&city).await.1,
        city.said()
    );
    city.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_killed_up() {
    let mut city = City::raise(&["--load", "20/s"], &[]).await;
    let pids = city.pids();
    assert_eq!(pids.len(), 15, "{:#}", city.state());
    assert!(pids.iter().all(|pid| alive(*pid)));
    city.kill_up().await;
    let gone = within(SOON, async || !pids.iter().any(|pid| alive(*pid))).await;
    let left: Vec<_> = pids.into_iter().filter(|pid| alive(*pid)).collect();
    assert!(gone.is_some(), "left behind: {left:?}");
    // Nobody runs here now, whatever the state file says.
    let output = city.citywatch(&["doctor"]).await;
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        !output.status.success() && said.contains("no city runs"),
        "{said}"
    );
}
