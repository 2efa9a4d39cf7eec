use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use discovery::{Discovery, Endpoints};
use faults::Faults;
use identity::ServiceSigner;
use reqwest_middleware::ClientBuilder;
use telemetry::Telemetry;

use crate::call::Client;
use crate::callee::Callee;
use crate::chain::{Fault, Guard, Retry, Timeout};
use crate::deadline;
use crate::edges::Edge;
use crate::metrics::{Gauges, Metrics};
use crate::policy::{Policies, Policy};
use crate::random::split_mix;

/// Longest time that a connection may take to be made. Within a city it takes far less; it is kept
/// short so that a call that got no connection is known to have reached nobody.
const CONNECT: Duration = Duration::from_millis(300);
/// Connections kept open to each instance.
const IDLE_CONNECTIONS: usize = 32;
/// How long an unused one is kept.
const IDLE: Duration = Duration::from_secs(30);

/// What a service needs to call others.
pub struct Setup {
    /// Who calls.
    pub caller: &'static str,
    /// Makes the spans and holds the metrics.
    pub telemetry: Telemetry,
    /// Knows where the others are.
    pub discovery: Discovery,
    /// Says to others who calls.
    pub signer: Option<Arc<ServiceSigner>>,
    /// Where faults may strike.
    pub faults: Faults,
    /// The terms in force, asked for with each call.
    pub policy: Box<dyn Fn() -> Policy + Send + Sync>,
    /// Spreads what is drawn: which instance is asked, how long is waited. Different in each
    /// process; the same in a test.
    pub seed: u64,
}

/// The calls that a service makes to others. Cheap to clone.
#[derive(Clone)]
pub struct Calls(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    caller: &'static str,
    telemetry: Telemetry,
    pub(crate) discovery: Discovery,
    signer: Option<Arc<ServiceSigner>>,
    faults: Faults,
    policies: Policies,
    metrics: Metrics,
    http: reqwest::Client,
    known: Mutex<Known>,
}

/// Those that were asked for.
struct Known {
    callees: BTreeMap<&'static str, Arc<Callee>>,
    random: u64,
}

impl Calls {
    /// Nothing is connected until something is called.
    ///
    /// # Errors
    /// The HTTP client cannot be made.
    pub fn new(setup: Setup) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            // What the environment says of proxies is about the world outside.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .connect_timeout(CONNECT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE)
            .build()?;
        let registry = setup.telemetry.registry();
        let inner = Arc::new(Inner {
            caller: setup.caller,
            metrics: Metrics::new(registry),
            discovery: setup.discovery,
            signer: setup.signer,
            faults: setup.faults,
            policies: Arc::from(setup.policy),
            http,
            known: Mutex::new(Known {
                callees: BTreeMap::new(),
                random: setup.seed,
            }),
            telemetry: setup.telemetry.clone(),
        });
        Gauges::register(registry, &inner);
        Ok(Self(inner))
    }

    /// Calls to a service of the city, which discovery finds and a token is signed for.
    #[must_use]
    pub fn to(&self, edge: &'static Edge) -> Client {
        let endpoints = self.0.discovery.watch(edge.callee);
        Client {
            edge,
            base_url: format!("http://{}", edge.callee).into(),
            chain: self.0.chain(edge, Some(endpoints), Watch::Full).build(),
            signer: self.0.signer.clone(),
        }
    }

    /// Calls whose answers the callee holds back until it has something to say: as [`to`](Self::to),
    /// but neither traced nor measured, as their durations say nothing of the callee.
    #[must_use]
    pub fn held(&self, edge: &'static Edge) -> Client {
        let endpoints = self.0.discovery.watch(edge.callee);
        Client {
            edge,
            base_url: format!("http://{}", edge.callee).into(),
            chain: self.0.chain(edge, Some(endpoints), Watch::None).build(),
            signer: self.0.signer.clone(),
        }
    }

    /// Calls to a server outside the city: always at this URL (of plain `http`), without a token
    /// and without a word about deadlines.
    #[must_use]
    pub fn outside(&self, edge: &'static Edge, base_url: &str) -> Client {
        Client {
            edge,
            base_url: base_url.trim_end_matches('/').into(),
            chain: self.0.chain(edge, None, Watch::Full).build(),
            signer: None,
        }
    }
}

/// Whether calls make spans and are measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    Full,
    None,
}

impl Inner {
    /// All links but the transport.
    pub(crate) fn chain(
        &self,
        edge: &'static Edge,
        endpoints: Option<Endpoints>,
        watch: Watch,
    ) -> ClientBuilder {
        debug_assert_eq!(edge.caller, self.caller, "the edge is another service's");
        let name = format!("call.{}", edge.callee);
        let about = "an attempt of a call that nothing has refused; nothing is sent";
        let point = self.faults.point(name, about);
        let tells = endpoints.is_some();
        let callee = self.callee(edge.callee, endpoints);
        let chain = ClientBuilder::new(self.http.clone())
            .with(Retry {
                callee: Arc::clone(&callee),
                allowed: edge.retry,
                policies: Arc::clone(&self.policies),
            })
            .with(Guard {
                callee,
                policies: Arc::clone(&self.policies),
                deadline: edge.deadline,
            })
            .with(Timeout { tells });
        let chain = match watch {
            Watch::Full => chain.with(self.telemetry.client_middleware()),
            Watch::None => chain,
        };
        chain.with(Fault { point })
    }

    /// Edges to one callee share what is known of it.
    fn callee(&self, name: &'static str, endpoints: Option<Endpoints>) -> Arc<Callee> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let seed = split_mix(&mut known.random);
        let callee = known.callees.entry(name).or_insert_with(|| {
            self.metrics.born(name);
            Callee::new(name, endpoints, self.metrics.clone(), seed, deadline::now())
        });
        Arc::clone(callee)
    }

    /// Those that were asked for.
    pub(crate) fn callees(&self) -> Vec<Arc<Callee>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.callees.values().cloned().collect()
    }
}
