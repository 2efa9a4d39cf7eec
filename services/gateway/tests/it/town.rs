//! A gateway in front of what a test puts behind it.

use std::net::SocketAddr;

use serde_json::{Value, json};
use testing::{Running, Town};

use crate::behind::Registry;
use crate::raw::Client;

/// Name of the service that all test routes lead to.
pub(crate) const SERVICE: &str = "shop";

pub(crate) struct Street {
    pub(crate) gateway: Running,
    pub(crate) registry: Registry,
}

/// A gateway with these settings over one worker and routes that suit most tests.
pub(crate) async fn street(settings: Value, instances: &[SocketAddr]) -> Street {
    let town = Town::new();
    let registry = Registry::start();
    registry.place(SERVICE, instances);
    let members = json!({"keys": [town.member_key().public_jwk()]});
    registry.write("jwks.members", &members);
    registry.write("jwks.services", &town.service_jwks());
    let mut all = json!({
        "registry_url": registry.url,
        "workers": 1,
        // The binary's test reads the access log; here it would only be in the way.
        "access_log": false,
        "routes": routes(),
    });
    for (key, value) in settings.as_object().unwrap() {
        all[key] = value.clone();
    }
    let gateway = town.start::<gateway::Gateway>(all).await;
    Street { gateway, registry }
}

pub(crate) fn routes() -> Value {
    let route = |path: &str, methods: Value, access: &str| json!({"path": path, "methods": methods, "service": SERVICE, "access": access});
    json!([
        route("/known", json!(["GET"]), "public"),
        route("/open", json!(["GET", "POST", "PUT", "DELETE"]), "public"),
        route("/open/{id}", json!(["GET", "PUT"]), "public"),
        route("/member", json!(["GET"]), "member"),
        route("/admin", json!(["GET"]), "admin"),
    ])
}

impl Street {
    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.gateway.url)
    }

    /// A fresh connection.
    pub(crate) async fn client(&self) -> Client {
        Client::connect(self.address()).await
    }

    /// The value of one series on the metrics page.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        value(&self.gateway.metrics().await, series)
    }
}

/// The value of one series of a metrics page.
pub(crate) fn value(page: &str, series: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(series));
    line.unwrap_or_else(|| panic!("no {series} in\n{page}"))
        .trim()
        .parse()
        .unwrap()
}
