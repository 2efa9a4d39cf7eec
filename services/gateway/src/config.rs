//! Settings made ready for use: checked as a whole, swapped as a whole.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::Common;
use calls::Loads;
use discovery::{Discovery, Endpoints};

use crate::address::Networks;
use crate::limit::{Pace, Policies};
use crate::routes::{Defaults, Found, Route, Table};
use crate::settings::{Rate, Settings};

/// Everything that a request needs to know, as it is in force.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    table: Table,
    trusted: Networks,
    pub(crate) services: Vec<Service>,
    policies: Vec<Policies>,
    default_policy: Option<usize>,
    pub(crate) times: Times,
    pub(crate) max_uri_bytes: usize,
    pub(crate) pool_idle_per_instance: usize,
    pub(crate) access_log: bool,
}

/// A service that routes lead to.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: Arc<str>,
    pub(crate) endpoints: Endpoints,
    pub(crate) loads: Arc<Loads>,
}

/// How long each thing may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) header: Duration,
    pub(crate) idle: Duration,
    pub(crate) body_idle: Duration,
    pub(crate) body: Duration,
    /// For the head of the answer, where no route was found.
    pub(crate) upstream: Duration,
    pub(crate) connect: Duration,
    pub(crate) pool_idle: Duration,
    /// The shortest of all, by which the clock is set.
    pub(crate) shortest: Duration,
}

/// What does not depend on the services: all that can be wrong with settings.
struct Checked {
    table: Table,
    services: Vec<String>,
    trusted: Networks,
    policies: Vec<Policies>,
    times: Times,
}

impl Config {
    /// Whether these settings can be used.
    ///
    /// # Errors
    /// A sentence for the person who set them.
    pub(crate) fn check(settings: &Settings) -> Result<(), String> {
        checked(settings, &Common::default()).map(|_| ())
    }

    /// # Errors
    /// As [`Config::check`].
    pub(crate) fn build(
        settings: &Settings,
        common: &Common,
        places: &Places,
    ) -> Result<Self, String> {
        let checked = checked(settings, common)?;
        Ok(Self {
            services: checked
                .services
                .iter()
                .map(|name| places.service(name))
                .collect(),
            table: checked.table,
            trusted: checked.trusted,
            default_policy: checked
                .policies
                .iter()
                .position(|policy| policy.class == "default"),
            policies: checked.policies,
            times: checked.times,
            max_uri_bytes: settings.max_uri_bytes,
            pool_idle_per_instance: settings.pool_idle_per_instance,
            access_log: settings.access_log,
        })
    }

    pub(crate) fn find(&self, method: &http::Method, path: &str) -> Found<'_> {
        self.table.find(method, path)
    }

    pub(crate) fn pattern(&self, path: usize) -> &str {
        self.table.pattern(path)
    }

    pub(crate) fn trusted(&self) -> &Networks {
        &self.trusted
    }

    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        self.trusted.contains(peer)
    }

    /// The limits of a route; those of the class `default` where there is no route.
    pub(crate) fn policy(&self, route: Option<&Route>) -> Option<&Policies> {
        let index = route.map_or(self.default_policy, |route| route.rate)?;
        self.policies.get(index)
    }
}

fn checked(settings: &Settings, common: &Common) -> Result<Checked, String> {
    if settings.max_header_bytes < 8_192 {
        return Err("`max_header_bytes` must be at least 8192".to_owned());
    }
    if !(1..=1_000).contains(&settings.max_headers) {
        return Err("`max_headers` must be between 1 and 1000".to_owned());
    }
    let policies = policies(settings)?;
    let classes: Vec<String> = policies.iter().map(|policy| policy.class.clone()).collect();
    let timeout = Duration::from_millis(settings.upstream_timeout_ms);
    let defaults = Defaults {
        rate_classes: &classes,
        timeout,
        max_body_bytes: u64::try_from(common.max_body_bytes).unwrap_or(u64::MAX),
    };
    let mut services = Vec::new();
    let table = Table::build(&settings.routes, &defaults, &mut services)?;
    let trusted = Networks::parse(&settings.trusted_peers)
        .map_err(|message| format!("`trusted_peers`: {message}"))?;
    let shortest_route = settings
        .routes
        .iter()
        // Those with a fallback are kept to the millisecond by a timer of their own.
        .filter(|rule| rule.fallback.is_none())
        .filter_map(|rule| rule.timeout_ms)
        .min();
    let times = times(settings, shortest_route)?;
    Ok(Checked {
        table,
        services,
        trusted,
        policies,
        times,
    })
}

fn times(settings: &Settings, shortest_route: Option<u64>) -> Result<Times, String> {
    let named = [
        ("header_timeout_ms", settings.header_timeout_ms),
        ("idle_timeout_ms", settings.idle_timeout_ms),
        ("body_idle_timeout_ms", settings.body_idle_timeout_ms),
        ("body_timeout_ms", settings.body_timeout_ms),
        ("upstream_timeout_ms", settings.upstream_timeout_ms),
        ("connect_timeout_ms", settings.connect_timeout_ms),
        ("pool_idle_timeout_ms", settings.pool_idle_timeout_ms),
    ];
    let hour = 3_600_000;
    for (key, value) in named {
        if !(1..=hour).contains(&value) {
            return Err(format!("`{key}` must be between 1 and {hour}"));
        }
    }
    if shortest_route == Some(0) {
        return Err("`timeout_ms` of a route must be at least 1".to_owned());
    }
    let all = named.iter().map(|(_, value)| *value);
    let shortest = all.chain(shortest_route).min().unwrap_or(hour);
    let millis = Duration::from_millis;
    Ok(Times {
        header: millis(settings.header_timeout_ms),
        idle: millis(settings.idle_timeout_ms),
        body_idle: millis(settings.body_idle_timeout_ms),
        body: millis(settings.body_timeout_ms),
        upstream: millis(settings.upstream_timeout_ms),
        connect: millis(settings.connect_timeout_ms),
        pool_idle: millis(settings.pool_idle_timeout_ms),
        shortest: millis(shortest),
    })
}

fn policies(settings: &Settings) -> Result<Vec<Policies>, String> {
    let pace = |class: &str, rate: Option<Rate>| {
        rate.map(Pace::new)
            .transpose()
            .map_err(|message| format!("rate class `{class}`: {message}"))
    };
    settings
        .rates
        .iter()
        .map(|(class, limits)| {
            let address = pace(class, limits.address)?;
            let member = pace(class, limits.member)?;
            Ok(Policies::new(class.clone(), address, member))
        })
        .collect()
}

/// Where services are. Watches and counts outlive a change of the configuration.
#[derive(Debug)]
pub(crate) struct Places {
    discovery: Discovery,
    known: Mutex<HashMap<String, Service>>,
}

impl Places {
    pub(crate) fn new(discovery: Discovery) -> Self {
        Self {
            discovery,
            known: Mutex::default(),
        }
    }

    fn service(&self, name: &str) -> Service {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let service = known.entry(name.to_owned()).or_insert_with(|| Service {
            name: name.into(),
            endpoints: self.discovery.watch(name),
            loads: Loads::new(Instant::now()),
        });
        service.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::RateClass;
    use app::settings::Section;
    use serde_json::json;

    #[test]
    fn the_defaults_can_be_used() {
        assert_eq!(Config::check(&Settings::default()), Ok(()));
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_a_reason() {
        let cases = [
            (
                "routes",
                json!([{"path": "x", "methods": ["GET"], "service": "a", "access": "public"}]),
                "must start",
            ),
            (
                "rates",
                json!({"default": {"member": {"requests": 0, "seconds": 1, "burst": 1}}}),
                "`default`",
            ),
            ("trusted_peers", json!(["10.0.0.0/64"]), "trusted_peers"),
            ("header_timeout_ms", json!(0), "header_timeout_ms"),
            ("idle_timeout_ms", json!(99_999_999), "idle_timeout_ms"),
            ("max_header_bytes", json!(100), "max_header_bytes"),
            ("max_headers", json!(0), "max_headers"),
            (
                "routes",
                json!([{"path": "/x", "methods": ["GET"], "service": "a", "access": "public",
                    "timeout_ms": 0}]),
                "`timeout_ms` of a route",
            ),
        ];
        for (key, value, wanted) in cases {
            let mut settings = Settings::default();
            settings.set(key, value).unwrap();
            let message = Section::validate(&settings).unwrap_err();
            assert!(message.contains(wanted), "{key}: {message}");
        }
    }

    #[test]
    fn a_class_that_a_route_names_must_be_there() {
        let mut settings = Settings::default();
        settings.rates.remove("sign_in");
        assert!(Config::check(&settings).unwrap_err().contains("sign_in"));
        settings
            .rates
            .insert("sign_in".into(), RateClass::default());
        assert_eq!(Config::check(&settings), Ok(()));
    }
}
