//! What the gateway can be told, and the table of routes it starts with.

use std::collections::BTreeMap;

use calls::edges::GATEWAY_RECOMMENDATIONS;
use identity::Access;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::Config;

app::settings! {
    /// What the gateway can be told.
    pub struct Settings validated by Config::check {
        /// Threads that serve clients, each with its own listener and connections. 0: one a core.
        boot workers: usize = 0,
        /// Most connections of clients at once, in the whole process; further ones get 503.
        boot max_connections: usize = 10_000,
        /// Most header lines in a request; then 431.
        boot max_headers: usize = 64,
        /// Largest request head, in bytes, at least 8192; then 431.
        boot max_header_bytes: usize = 16_384,
        /// Most members and addresses whose rate is remembered at once.
        boot rate_limit_keys: usize = 100_000,
        /// Verified tokens remembered by each worker.
        boot token_cache: usize = 10_000,
        /// Longest request target, in bytes; then 414.
        live max_uri_bytes: usize = 4_096,
        /// Which requests go where. The whole table is replaced, or refused, at once.
        live routes: Vec<RouteRule> = default_routes(),
        /// Rate limits by class; a route without a class has the class `default`.
        live rates: BTreeMap<String, RateClass> = default_rates(),
        /// Addresses or networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` and trace
        /// context are believed.
        live trusted_peers: Vec<String> = Vec::new(),
        /// Time that a client has for the head of a request, in milliseconds; then 408.
        live header_timeout_ms: u64 = 10_000,
        /// How long a connection without a request stays open, in milliseconds.
        live idle_timeout_ms: u64 = 60_000,
        /// Longest pause within a body, either way, in milliseconds.
        live body_idle_timeout_ms: u64 = 30_000,
        /// Longest time for the whole body of a request, in milliseconds; then 408.
        live body_timeout_ms: u64 = 120_000,
        /// Time that a service has for the head of its answer, in milliseconds; then 504.
        live upstream_timeout_ms: u64 = 5_000,
        /// Time that a service has to accept a connection, in milliseconds.
        live connect_timeout_ms: u64 = 1_000,
        /// Unused connections that each worker keeps to each instance.
        live pool_idle_per_instance: usize = 32,
        /// How long an unused connection to an instance is kept, in milliseconds.
        live pool_idle_timeout_ms: u64 = 15_000,
        /// Whether each request is written to the access log.
        live access_log: bool = true,
    }
}

/// One line of the table of routes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteRule {
    /// Path pattern: `/api/products/{id}`; `{*rest}` stands for the rest of the path.
    pub path: String,
    /// Methods that it takes; `GET` takes `HEAD` too.
    pub methods: Vec<String>,
    /// Service that answers.
    pub service: String,
    /// Who may ask.
    pub access: Access,
    /// Class of rate limits, if not `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
    /// Time for the head of the answer, if not `upstream_timeout_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Largest request body, if not `max_body_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_body_bytes: Option<u64>,
    /// For `GET` alone: JSON that is answered with 200 in the service's stead when it is away,
    /// fails with a status of 500 and more, or takes longer than the route's time, which is for
    /// the whole answer then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Value>,
}

/// Limits of one class: by the client's address, and by member where one is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateClass {
    /// By address; IPv6 by /64. None: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Rate>,
    /// By member. None: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<Rate>,
}

/// So many requests in so much time, and how many of them may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Requests.
    pub requests: u32,
    /// In this many seconds.
    pub seconds: u32,
    /// As many may come at once.
    pub burst: u32,
}

/// The classes that a gateway starts with: room for a shop behind one address, little for whoever
/// guesses passwords, and no more orders than a hand can place.
fn default_rates() -> BTreeMap<String, RateClass> {
    let rate = |requests, burst| {
        Some(Rate {
            requests,
            seconds: 1,
            burst,
        })
    };
    BTreeMap::from([
        (
            "default".to_owned(),
            RateClass {
                address: rate(1_000, 2_000),
                member: rate(100, 200),
            },
        ),
        (
            "sign_in".to_owned(),
            RateClass {
                address: rate(20, 100),
                member: rate(5, 20),
            },
        ),
        (
            "order".to_owned(),
            RateClass {
                address: rate(500, 1_000),
                member: rate(5, 20),
            },
        ),
    ])
}

fn default_routes() -> Vec<RouteRule> {
    use Access::{Admin, Member, Public};
    let route = |path: &str, methods: &[&str], service: &str, access| RouteRule {
        path: path.to_owned(),
        methods: methods.iter().copied().map(str::to_owned).collect(),
        service: service.to_owned(),
        access,
        rate: None,
        timeout_ms: None,
        max_body_bytes: None,
        fallback: None,
    };
    let sign_in = |rule: RouteRule| RouteRule {
        rate: Some("sign_in".to_owned()),
        ..rule
    };
    // An order that takes longer goes on by itself, and its answer says where to look.
    let order = |rule: RouteRule| RouteRule {
        rate: Some("order".to_owned()),
        timeout_ms: Some(5_000),
        ..rule
    };
    let documents = |rule: RouteRule| RouteRule {
        max_body_bytes: Some(1 << 20),
        ..rule
    };
    // A page of a product is one without them.
    let recommendations = |rule: RouteRule| RouteRule {
        timeout_ms: u64::try_from(GATEWAY_RECOMMENDATIONS.deadline.as_millis()).ok(),
        fallback: Some(json!({"also_bought": [], "also_viewed": []})),
        ..rule
    };
    vec![
        sign_in(route("/api/users", &["POST"], "users", Public)),
        route("/api/users/me", &["GET"], "users", Member),
        sign_in(route("/api/sessions", &["POST", "DELETE"], "users", Public)),
        sign_in(route("/api/sessions/refresh", &["POST"], "users", Public)),
        route("/api/products", &["GET"], "catalog", Public),
        route("/api/products/{id}", &["GET"], "catalog", Public),
        route("/api/categories", &["GET"], "catalog", Public),
        route("/api/admin/products", &["POST"], "catalog", Admin),
        route(
            "/api/admin/products/{id}",
            &["PUT", "DELETE"],
            "catalog",
            Admin,
        ),
        route("/api/cart", &["GET", "DELETE"], "cart", Member),
        route(
            "/api/cart/items/{product_id}",
            &["PUT", "DELETE"],
            "cart",
            Member,
        ),
        order(route("/api/orders", &["POST"], "orders", Member)),
        route("/api/orders", &["GET"], "orders", Member),
        route("/api/orders/{id}", &["GET"], "orders", Member),
        route("/api/orders/{id}/history", &["GET"], "orders", Member),
        route("/api/admin/stock", &["GET"], "inventory", Admin),
        route(
            "/api/admin/stock/{product_id}",
            &["GET", "PUT"],
            "inventory",
            Admin,
        ),
        route("/api/admin/documents", &["GET"], "registry", Admin),
        documents(route(
            "/api/admin/documents/{name}",
            &["GET", "PUT"],
            "registry",
            Admin,
        )),
        route(
            "/api/admin/documents/{name}/history",
            &["GET"],
            "registry",
            Admin,
        ),
        route(
            "/api/admin/documents/{name}/watch",
            &["GET"],
            "registry",
            Admin,
        ),
        recommendations(route(
            "/api/products/{id}/recommendations",
            &["GET"],
            "recommendations",
            Public,
        )),
        route("/api/shipments/{order_id}", &["GET"], "shipping", Member),
        route("/api/posts", &["GET"], "board", Public),
        route("/api/posts", &["POST"], "board", Member),
        route("/api/posts/{id}", &["GET"], "board", Public),
        route("/api/notifications", &["GET"], "notifications", Member),
    ]
}
