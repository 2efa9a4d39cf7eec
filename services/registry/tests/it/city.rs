//! The registry and the client that the whole city uses, together.

use std::sync::Arc;
use std::time::Duration;

use discovery::{
    Credentials, Discovery, Endpoint, Endpoints, Expect, Registration, RegistryClient,
    RegistryError, ServiceSummary,
};
use identity::{ServiceSigner, SigningKey};
use registry::Registry;
use serde_json::json;
use testing::{Running, Town};

use crate::world::{SHORT_TTL_MS, start_with};

fn client(url: &str, credentials: Credentials) -> RegistryClient {
    let telemetry = telemetry::Telemetry::builder(telemetry::Service::new("test", "0"))
        .exporter(telemetry::testing::Collector::new().exporter())
        .without_subscriber()
        .build()
        .unwrap();
    RegistryClient::new(
        url,
        telemetry.client(reqwest::Client::new()),
        Some(credentials),
    )
}

fn service(town: &Town, url: &str, name: &str) -> RegistryClient {
    let pem = std::fs::read_to_string(town.folder().join(format!("{name}.pem"))).unwrap();
    let key = SigningKey::from_pem(&pem).unwrap();
    client(
        url,
        Credentials::Service(Arc::new(ServiceSigner::new(name, key))),
    )
}

fn operator(registry: &Running) -> RegistryClient {
    let token = registry.town().operator_token().to_owned();
    client(&registry.url, Credentials::Operator(token))
}

fn catalog(id: &str, port: u16) -> Registration {
    Registration {
        service: "catalog".to_owned(),
        endpoint: Endpoint {
            instance_id: id.to_owned(),
            address: ([127, 0, 0, 1], port).into(),
            admin_address: None,
            version: "0.1.0".to_owned(),
        },
        advertise: discovery::Advertise::Listener,
        pid: 1,
    }
}

fn ids(endpoints: &Endpoints) -> Vec<String> {
    let mut ids: Vec<_> = endpoints
        .load()
        .iter()
        .map(|endpoint| endpoint.instance_id.clone())
        .collect();
    ids.sort_unstable();
    ids
}

/// Waits until the list holds exactly these.
async fn holds(endpoints: &mut Endpoints, expected: &[&str]) {
    let reached = async {
        while ids(endpoints) != expected {
            endpoints.changed().await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(10), reached).await;
    assert!(in_time.is_ok(), "{:?} is not {expected:?}", ids(endpoints));
}

#[tokio::test]
async fn who_registers_is_found_and_who_leaves_is_not() {
    let registry = start_with(json!({ "lease_ttl_ms": SHORT_TTL_MS })).await;
    let town = registry.town();
    let mut found = Discovery::registry(service(town, &registry.url, "gateway")).watch("catalog");
    let catalogs = Discovery::registry(service(town, &registry.url, "catalog"));
    let first = catalogs.register(catalog("a", 1001)).await;
    holds(&mut found, &["a"]).await;
    let second = catalogs.register(catalog("b", 1002)).await;
    holds(&mut found, &["a", "b"]).await;
    first.deregister().await;
    holds(&mut found, &["b"]).await;
    // Dropped, it lapses; being the last, it is tried on, and replaced by the next that comes.
    drop(second);
    let _third = catalogs.register(catalog("c", 1003)).await;
    holds(&mut found, &["c"]).await;
}

#[tokio::test]
async fn an_operator_asks_once_who_is_there() {
    let registry = start_with(json!({ "lease_ttl_ms": SHORT_TTL_MS })).await;
    let asking = operator(&registry);
    assert_eq!(asking.services().await.unwrap(), []);
    assert_eq!(asking.instances("catalog").await.unwrap(), []);
    let catalogs = Discovery::registry(service(registry.town(), &registry.url, "catalog"));
    let lease = catalogs.register(catalog("a", 1001)).await;
    lease.registered().await;
    let there = asking.instances("catalog").await.unwrap();
    assert_eq!(there, [catalog("a", 1001).endpoint]);
    let count = |instances| ServiceSummary {
        service: "catalog".to_owned(),
        instances,
    };
    assert_eq!(asking.services().await.unwrap(), [count(1)]);
    // It stays known when it has left, as one of which nobody is there.
    lease.deregister().await;
    assert_eq!(asking.services().await.unwrap(), [count(0)]);
    assert_eq!(asking.instances("catalog").await.unwrap(), []);
    let odd = asking.instances("../documents").await.unwrap_err();
    assert!(matches!(odd, RegistryError::InvalidName));
}

#[tokio::test]
async fn a_restarted_registry_is_found_again_and_nobody_was_lost_meanwhile() {
    let town = Town::new();
    let registry = town
        .start::<Registry>(json!({ "lease_ttl_ms": SHORT_TTL_MS }))
        .await;
    let (url, address) = (registry.url.clone(), registry.address());
    let gateway = service(&town, &url, "gateway");
    let mut found = Discovery::registry(gateway.clone()).watch("catalog");
    let mut city = gateway.watch_document("city");
    let catalogs = Discovery::registry(service(&town, &url, "catalog"));
    let lease = catalogs.register(catalog("a", 1001)).await;
    let _second = catalogs.register(catalog("b", 1002)).await;
    holds(&mut found, &["a", "b"]).await;
    operator(&registry)
        .put("city", &json!({ "log": "info" }), Expect::Absent)
        .await
        .unwrap();
    city.wait_for(Option::is_some).await.unwrap();

    registry.stop().await;
    assert!(gateway.get("city").await.unwrap_err().is_unreachable());
    assert_eq!(ids(&found), ["a", "b"]);

    let mut told = found.clone();
    let watching = tokio::spawn(async move {
        loop {
            told.changed().await;
            assert!(
                !told.load().is_empty(),
                "a warming registry must not empty a list"
            );
        }
    });
    let listen = json!({ "lease_ttl_ms": SHORT_TTL_MS, "listen": address.to_string() });
    let registry = town.start::<Registry>(listen).await;
    // Both register anew by themselves, and the document can be changed and is seen.
    testing::eventually("both are back", async || {
        let names = crate::world::states(&crate::world::Caller::catalog(&registry).await);
        crate::world::is(&names, &[("a", "up"), ("b", "up")]).then_some(())
    })
    .await;
    operator(&registry)
        .put("city", &json!({ "log": "debug" }), Expect::Version(1))
        .await
        .unwrap();
    let seen = city.wait_for(|city| city.as_ref().is_some_and(|city| city.version == 2));
    tokio::time::timeout(Duration::from_secs(10), seen)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(ids(&found), ["a", "b"]);
    watching.abort();
    assert!(watching.await.unwrap_err().is_cancelled());

    lease.registered().await;
    lease.deregister().await;
    holds(&mut found, &["b"]).await;
}

#[tokio::test]
async fn documents_are_written_read_and_refused_as_promised() {
    let registry = start_with(json!({})).await;
    let operator = operator(&registry);
    let value = json!({ "page_limit": 20 });
    assert_eq!(operator.get("catalog").await.unwrap(), None);
    let first = operator
        .put("catalog", &value, Expect::Absent)
        .await
        .unwrap();
    assert_eq!((first.version, first.updated_by.as_str()), (1, "operator"));
    let conflict = operator
        .put("catalog", &json!({}), Expect::Absent)
        .await
        .unwrap_err();
    assert!(
        matches!(conflict, RegistryError::VersionConflict),
        "{conflict:?}"
    );
    let second = operator
        .put("catalog", &json!({}), Expect::Version(1))
        .await
        .unwrap();
    assert_eq!(
        operator.get("catalog").await.unwrap().as_ref(),
        Some(&second)
    );
    assert_eq!(
        operator.refetch("catalog").await.unwrap().as_ref(),
        Some(&second)
    );
    assert_eq!(
        operator.documents().known("catalog").as_ref(),
        Some(&second)
    );
    let history = operator.history("catalog").await.unwrap();
    assert_eq!(history, [second.clone(), first]);
    let list = operator.list().await.unwrap();
    assert_eq!((list[0].name.as_str(), list[0].version), ("catalog", 2));

    let gateway = service(registry.town(), &registry.url, "gateway");
    let refused = gateway
        .put("catalog", &value, Expect::Any)
        .await
        .unwrap_err();
    match refused {
        RegistryError::Refused { status, code, .. } => {
            assert_eq!((status.as_u16(), code.as_str()), (403, "forbidden"));
        }
        other => panic!("{other:?}"),
    }
}
