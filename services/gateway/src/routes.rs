//! The table of routes: which service answers which path and method, and who may ask.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method};
use identity::Access;

use crate::settings::RouteRule;

/// Where a request goes, and under which rules.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// Index of the path in the table.
    pub(crate) path: usize,
    /// Index into the services of the configuration.
    pub(crate) service: usize,
    pub(crate) access: Access,
    /// Index into the rate classes of the configuration.
    pub(crate) rate: Option<usize>,
    pub(crate) timeout: Duration,
    pub(crate) max_body_bytes: u64,
    /// JSON that is answered in the service's stead.
    pub(crate) fallback: Option<Bytes>,
}

/// What the rest of the configuration gives to a route that does not say it itself.
pub(crate) struct Defaults<'a> {
    pub(crate) rate_classes: &'a [String],
    pub(crate) timeout: Duration,
    pub(crate) max_body_bytes: u64,
}

#[derive(Clone, Debug)]
struct Path {
    pattern: Box<str>,
    allow: HeaderValue,
    methods: Vec<(Method, Arc<Route>)>,
}

/// All routes; looked up without allocation.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    paths: matchit::Router<usize>,
    by_path: Vec<Path>,
}

/// What the table knows of a request.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Route(&'a Arc<Route>),
    /// The path is known, the method is not among those in the value of `Allow`.
    Method {
        path: usize,
        allow: &'a HeaderValue,
    },
    Nothing,
}

impl Table {
    /// Builds the whole table. `services` grows by the services that it names.
    ///
    /// # Errors
    /// A sentence saying which rule cannot be used and why.
    pub(crate) fn build(
        rules: &[RouteRule],
        defaults: &Defaults<'_>,
        services: &mut Vec<String>,
    ) -> Result<Self, String> {
        let mut table = Self {
            paths: matchit::Router::new(),
            by_path: Vec::new(),
        };
        for rule in rules {
            table.add(rule, defaults, services)?;
        }
        for path in &mut table.by_path {
            path.allow = allow(&path.methods);
        }
        Ok(table)
    }

    fn add(
        &mut self,
        rule: &RouteRule,
        defaults: &Defaults<'_>,
        services: &mut Vec<String>,
    ) -> Result<(), String> {
        let complain = |what: &str| format!("route `{}`: {what}", rule.path);
        if !rule.path.starts_with('/') {
            return Err(complain("the path must start with `/`"));
        }
        if rule.service.is_empty() {
            return Err(complain("no service"));
        }
        if rule.methods.is_empty() {
            return Err(complain("no methods"));
        }
        if rule.fallback.is_some() && rule.methods.iter().any(|method| method != "GET") {
            return Err(complain("`fallback` is for `GET` alone"));
        }
        let known = self
            .by_path
            .iter()
            .position(|path| *path.pattern == *rule.path);
        let index = known.unwrap_or(self.by_path.len());
        let route = Arc::new(Route {
            path: index,
            service: index_of(services, &rule.service),
            access: rule.access,
            rate: rate_class(rule, defaults.rate_classes)?,
            timeout: rule
                .timeout_ms
                .map_or(defaults.timeout, Duration::from_millis),
            max_body_bytes: rule.max_body_bytes.unwrap_or(defaults.max_body_bytes),
            fallback: rule.fallback.as_ref().map(|json| json.to_string().into()),
        });
        if known.is_none() {
            self.paths
                .insert(rule.path.as_str(), index)
                .map_err(|error| complain(&error.to_string()))?;
            self.by_path.push(Path {
                pattern: rule.path.as_str().into(),
                allow: HeaderValue::from_static(""),
                methods: Vec::new(),
            });
        }
        let methods = &mut self.by_path[index].methods;
        for name in &rule.methods {
            let method = match Method::from_bytes(name.as_bytes()) {
                Ok(Method::CONNECT | Method::TRACE) | Err(_) => {
                    return Err(complain(&format!("method `{name}` cannot be routed")));
                }
                Ok(method) => method,
            };
            if methods.iter().any(|(taken, _)| *taken == method) {
                return Err(complain(&format!("method `{name}` is routed twice")));
            }
            methods.push((method, Arc::clone(&route)));
        }
        Ok(())
    }

    /// The pattern of a path of the table: a closed set, fit for labels.
    pub(crate) fn pattern(&self, path: usize) -> &str {
        &self.by_path[path].pattern
    }

    pub(crate) fn find(&self, method: &Method, path: &str) -> Found<'_> {
        let Ok(found) = self.paths.at(path) else {
            return Found::Nothing;
        };
        let index = *found.value;
        let path = &self.by_path[index];
        let by_method = |wanted: &Method| {
            let mut methods = path.methods.iter();
            methods.find_map(|(method, route)| (method == wanted).then_some(route))
        };
        let route = by_method(method).or_else(|| match *method {
            Method::HEAD => by_method(&Method::GET),
            _ => None,
        });
        match route {
            Some(route) => Found::Route(route),
            None => Found::Method {
                path: index,
                allow: &path.allow,
            },
        }
    }
}

fn index_of(services: &mut Vec<String>, name: &str) -> usize {
    match services.iter().position(|known| known == name) {
        Some(index) => index,
        None => {
            services.push(name.to_owned());
            services.len() - 1
        }
    }
}

fn rate_class(rule: &RouteRule, classes: &[String]) -> Result<Option<usize>, String> {
    let wanted = rule.rate.as_deref().unwrap_or("default");
    match classes.iter().position(|class| class == wanted) {
        None if rule.rate.is_some() => Err(format!(
            "route `{}`: there is no rate class `{wanted}`",
            rule.path
        )),
        found => Ok(found),
    }
}

/// The value of `Allow`: `OPTIONS` is always answered, `HEAD` wherever `GET` is.
fn allow(methods: &[(Method, Arc<Route>)]) -> HeaderValue {
    let has = |wanted: &Method| methods.iter().any(|(method, _)| method == wanted);
    let mut names: Vec<&str> = methods.iter().map(|(method, _)| method.as_str()).collect();
    if has(&Method::GET) && !has(&Method::HEAD) {
        names.push("HEAD");
    }
    if !has(&Method::OPTIONS) {
        names.push("OPTIONS");
    }
    HeaderValue::from_str(&names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use serde_json::json;

    fn build(rules: serde_json::Value) -> Result<(Table, Vec<String>), String> {
        let rules: Vec<RouteRule> = serde_json::from_value(rules).unwrap();
        let mut services = Vec::new();
        let defaults = Defaults {
            rate_classes: &["default", "sign_in", "order"].map(str::to_owned),
            timeout: Duration::from_secs(5),
            max_body_bytes: 100,
        };
        Table::build(&rules, &defaults, &mut services).map(|table| (table, services))
    }

    #[test]
    fn a_path_and_a_method_lead_to_a_service_and_its_rules() {
        let (table, services) = build(json!([
            {"path": "/a/{id}", "methods": ["GET"], "service": "x", "access": "public"},
            {"path": "/a/{id}", "methods": ["PUT"], "service": "y", "access": "admin",
             "timeout_ms": 9, "max_body_bytes": 7, "rate": "sign_in"},
            {"path": "/all/{*rest}", "methods": ["GET"], "service": "x", "access": "member"},
        ]))
        .unwrap();
        assert_eq!(services, ["x", "y"]);
        let route = |method: Method, path: &str| match table.find(&method, path) {
            Found::Route(route) => (services[route.service].as_str(), Arc::clone(route)),
            other => panic!("{method} {path}: {other:?}"),
        };
        let (service, get) = route(Method::GET, "/a/17");
        assert_eq!(
            (service, get.access, get.max_body_bytes),
            ("x", Access::Public, 100)
        );
        assert_eq!((table.pattern(get.path), get.rate), ("/a/{id}", Some(0)));
        let (service, put) = route(Method::PUT, "/a/17");
        assert_eq!(
            (service, put.access, put.max_body_bytes),
            ("y", Access::Admin, 7)
        );
        assert_eq!((put.timeout, put.rate), (Duration::from_millis(9), Some(1)));
        assert_eq!(route(Method::HEAD, "/a/17").0, "x");
        let rest = route(Method::GET, "/all/b/c").1.path;
        assert_eq!(table.pattern(rest), "/all/{*rest}");
        for unknown in ["/", "/a", "/a/", "/a/1/2", "/A/1", "//a/1", "/a/1/", "*"] {
            let found = table.find(&Method::GET, unknown);
            assert!(matches!(found, Found::Nothing), "{unknown}: {found:?}");
        }
    }

    #[test]
    fn a_known_path_says_which_methods_it_allows() {
        let (table, _) = build(json!([
            {"path": "/a", "methods": ["GET", "PUT"], "service": "x", "access": "public"},
        ]))
        .unwrap();
        for method in [
            Method::DELETE,
            Method::OPTIONS,
            Method::from_bytes(b"BREW").unwrap(),
        ] {
            match table.find(&method, "/a") {
                Found::Method { path, allow } => {
                    assert_eq!(table.pattern(path), "/a");
                    assert_eq!(allow, "GET, PUT, HEAD, OPTIONS");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_table_that_cannot_be_used_says_why() {
        let rule = |path: &str, method: &str| {
            json!(
                {"path": path, "methods": [method], "service": "x", "access": "public"}
            )
        };
        let cases = [
            (json!([rule("a", "GET")]), "must start with"),
            (json!([rule("/{a", "GET")]), "route `/{a`"),
            (
                json!([rule("/{a}", "GET"), rule("/{b}", "GET")]),
                "conflict",
            ),
            (
                json!([rule("/a", "GET"), rule("/a", "GET")]),
                "routed twice",
            ),
            (json!([rule("/a", "TRACE")]), "cannot be routed"),
            (json!([rule("/a", "G T")]), "cannot be routed"),
            (
                json!([{"path": "/a", "methods": [], "service": "x", "access": "public"}]),
                "no methods",
            ),
            (
                json!([{"path": "/a", "methods": ["GET"], "service": "", "access": "public"}]),
                "no service",
            ),
            (
                json!([{"path": "/a", "methods": ["GET"], "service": "x", "access": "public", "rate": "none"}]),
                "no rate class `none`",
            ),
            (
                json!([{"path": "/a", "methods": ["GET", "PUT"], "service": "x", "access": "public", "fallback": []}]),
                "for `GET` alone",
            ),
        ];
        for (rules, wanted) in cases {
            let message = build(rules.clone()).unwrap_err();
            assert!(message.contains(wanted), "{rules}: {message}");
        }
    }

    #[test]
    fn the_built_in_table_can_be_used_and_leads_to_no_inner_path() {
        let rules = serde_json::to_value(Settings::default().routes).unwrap();
        let (table, services) = build(rules.clone()).unwrap();
        assert_eq!(
            services,
            [
                "users",
                "catalog",
                "cart",
                "orders",
                "inventory",
                "registry",
                "recommendations",
                "shipping",
                "board",
                "notifications"
            ]
        );
        let order = match table.find(&Method::POST, "/api/orders") {
            Found::Route(route) => route,
            other => panic!("{other:?}"),
        };
        assert_eq!((order.access, order.rate), (Access::Member, Some(2)));
        let optional = match table.find(&Method::GET, "/api/products/7/recommendations") {
            Found::Route(route) => route,
            other => panic!("{other:?}"),
        };
        assert_eq!(optional.timeout, Duration::from_millis(300));
        let words: serde_json::Value =
            serde_json::from_slice(optional.fallback.as_ref().unwrap()).unwrap();
        assert_eq!(words, json!({"also_bought": [], "also_viewed": []}));
        for (method, path, access) in [
            (Method::GET, "/api/posts", Access::Public),
            (Method::POST, "/api/posts", Access::Member),
            (Method::GET, "/api/posts/7", Access::Public),
            (Method::GET, "/api/shipments/7", Access::Member),
            (Method::GET, "/api/notifications", Access::Member),
        ] {
            match table.find(&method, path) {
                Found::Route(route) => assert_eq!(route.access, access, "{method} {path}"),
                other => panic!("{method} {path}: {other:?}"),
            }
        }
        for rule in rules.as_array().unwrap() {
            assert!(
                rule["path"].as_str().unwrap().starts_with("/api/"),
                "{rule}"
            );
        }
        for inner in [
            "/v1/documents",
            "/metrics",
            "/livez",
            "/readyz",
            "/prometheus/targets",
            "/inner/v1/orders",
            "/inner/v1/stock",
            "/inner/v1/feed",
            "/inner/v1/events",
            "/inner/v1/names",
            "/inner/v1/shipments",
        ] {
            assert!(matches!(table.find(&Method::GET, inner), Found::Nothing));
        }
    }
}
