//! Who calls: the whole chain as a service has it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use calls::{Calls, Edge, Policy, Retry, Rules, Setup};
use discovery::{Discovery, Endpoint};
use faults::Faults;
use identity::{KeySet, ServiceSigner, SigningKey, Verifier};
use telemetry::testing::{Collector, Span};

pub(crate) static AGAIN: Edge = Edge {
    caller: "orders",
    callee: "inventory",
    operation: "reserve",
    deadline: Duration::from_secs(2),
    retry: Retry::Idempotent,
    fallback: "the saga waits",
};
pub(crate) static ONCE: Edge = Edge {
    retry: Retry::None,
    ..AGAIN
};

/// Neither budget nor breaker.
pub(crate) const UNLIMITED: Policy = Policy {
    retry_budget_percent: 100,
    breaker: Rules {
        failure_percent: 0,
        consecutive_failures: 0,
    },
};

pub(crate) struct Caller {
    pub(crate) calls: Calls,
    collector: Collector,
    pub(crate) faults: Faults,
    /// Believes what tokens for the callee say.
    pub(crate) verifier: Verifier,
}

impl Caller {
    pub(crate) fn new(instances: &[SocketAddr], policy: Policy) -> Self {
        let collector = Collector::new();
        let telemetry = telemetry::Telemetry::builder(telemetry::Service::new("orders", "1"))
            .exporter(collector.exporter())
            .without_subscriber()
            .build()
            .unwrap();
        let endpoint = |address: &SocketAddr| Endpoint {
            instance_id: address.to_string(),
            address: *address,
            admin_address: None,
            version: String::new(),
        };
        let list = instances.iter().map(endpoint).collect();
        let key = SigningKey::generate().unwrap();
        let keys = KeySet::new();
        let jwks = serde_json::json!({ "keys": [key.public_jwk().for_service("orders")] });
        keys.replace(serde_json::from_value(jwks).unwrap());
        let faults = Faults::new(true, telemetry.registry()).unwrap();
        let calls = Calls::new(Setup {
            caller: "orders",
            telemetry,
            discovery: Discovery::fixed(BTreeMap::from([("inventory".to_owned(), list)])),
            signer: Some(Arc::new(ServiceSigner::new("orders", key))),
            faults: faults.clone(),
            policy: Box::new(move || policy),
            seed: 7,
        })
        .unwrap();
        Self {
            calls,
            collector,
            faults,
            verifier: Verifier::services(keys, "inventory"),
        }
    }

    pub(crate) async fn spans(&self) -> Vec<Span> {
        self.collector.spans().await
    }
}
