//! The whole chain under a paused clock, over a transport that does as a script says.

mod deadlines;
mod refusals;
mod retries;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use discovery::{Discovery, Endpoint};
use faults::Faults;
use http::{Extensions, HeaderMap};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};
use telemetry::testing::{Collector, Span};
use tokio::time::{Instant, sleep};

use super::Journey;
use crate::calls::Watch;
use crate::error::{CallErrorKind, Failed};
use crate::{Call, Calls, Client, Edge, Policy, Retry, Rules, Setup, TIMEOUT_HEADER};

/// An edge that may be asked again, and one that may not.
static EDGE: Edge = Edge {
    caller: "orders",
    callee: "inventory",
    operation: "reserve",
    deadline: Duration::from_secs(1),
    retry: Retry::Idempotent,
    fallback: "the saga waits",
};
static ONCE: Edge = Edge {
    retry: Retry::None,
    ..EDGE
};

/// No budget, no breaker: what is left is the rules of retries.
const UNLIMITED: Policy = Policy {
    retry_budget_percent: 100,
    breaker: Rules {
        failure_percent: 0,
        consecutive_failures: 0,
    },
};

/// What the transport does with one attempt.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answer(u16),
    /// 503, and `Retry-After` in seconds.
    Pause(u64),
    /// Answers after so many milliseconds.
    Late(u64, u16),
    Fail(CallErrorKind),
    Hang,
}
use Does::{Answer, Fail, Hang, Late, Pause};

/// An attempt that reached the transport.
#[derive(Debug)]
struct Sent {
    at: Instant,
    to: SocketAddr,
    headers: HeaderMap,
}

impl Sent {
    /// The budget that the callee was told, in milliseconds.
    fn told(&self) -> u64 {
        self.headers[&TIMEOUT_HEADER]
            .to_str()
            .unwrap()
            .parse()
            .unwrap()
    }
}

#[derive(Clone)]
struct Script(Arc<Mutex<Scripted>>);

struct Scripted {
    next: VecDeque<Does>,
    then: Does,
    /// An instance that answers 500 to everything.
    sick: Option<SocketAddr>,
    sent: Vec<Sent>,
}

#[async_trait::async_trait]
impl Middleware for Script {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let does = {
            let mut script = self.0.lock().unwrap();
            let to = Journey::of(extensions).address.unwrap();
            script.sent.push(Sent {
                at: Instant::now(),
                to,
                headers: request.headers().clone(),
            });
            if script.sick == Some(to) {
                Answer(500)
            } else {
                let then = script.then;
                script.next.pop_front().unwrap_or(then)
            }
        };
        let answer = |status| {
            let answer = http::Response::builder().status(status);
            Ok(answer.body(Vec::new()).unwrap().into())
        };
        match does {
            Answer(status) => answer(status),
            Pause(seconds) => {
                let answer = http::Response::builder().status(503);
                let answer = answer.header("retry-after", seconds);
                Ok(answer.body(Vec::new()).unwrap().into())
            }
            Late(millis, status) => {
                sleep(Duration::from_millis(millis)).await;
                answer(status)
            }
            Fail(kind) => Err(Failed(kind).into()),
            Hang => std::future::pending().await,
        }
    }
}

/// A caller, its callee, and what both see.
struct Bench {
    calls: Calls,
    client: Client,
    script: Script,
    collector: Collector,
    telemetry: telemetry::Telemetry,
    policy: Arc<Mutex<Policy>>,
    faults: Faults,
}

impl Bench {
    fn new(edge: &'static Edge, instances: u16, policy: Policy) -> Self {
        let collector = Collector::new();
        let telemetry = telemetry::Telemetry::builder(telemetry::Service::new("orders", "1"))
            .exporter(collector.exporter())
            .without_subscriber()
            .build()
            .unwrap();
        let faults = Faults::new(true, telemetry.registry()).unwrap();
        let endpoint = |port: u16| Endpoint {
            instance_id: port.to_string(),
            address: ([127, 0, 0, 1], port).into(),
            admin_address: None,
            version: String::new(),
        };
        let list = (1..=instances).map(endpoint).collect();
        let policy = Arc::new(Mutex::new(policy));
        let in_force = Arc::clone(&policy);
        let calls = Calls::new(Setup {
            caller: "orders",
            telemetry: telemetry.clone(),
            discovery: Discovery::fixed(BTreeMap::from([("inventory".to_owned(), list)])),
            signer: None,
            faults: faults.clone(),
            policy: Box::new(move || *in_force.lock().unwrap()),
            seed: 7,
        })
        .unwrap();
        let script = Script(Arc::new(Mutex::new(Scripted {
            next: VecDeque::new(),
            then: Answer(200),
            sick: None,
            sent: Vec::new(),
        })));
        let endpoints = calls.0.discovery.watch("inventory");
        let chain = calls.0.chain(edge, Some(endpoints), Watch::Full);
        let client = Client {
            chain: chain.with(script.clone()).build(),
            ..calls.to(edge)
        };
        Self {
            calls,
            client,
            script,
            collector,
            telemetry,
            policy,
            faults,
        }
    }

    /// What the transport does next, and then for ever.
    fn does(&self, next: &[Does], then: Does) {
        let mut script = self.script.0.lock().unwrap();
        (script.next, script.then) = (next.iter().copied().collect(), then);
    }

    fn call(&self) -> Call {
        self.client.get("/stock/{id}", "/stock/1")
    }

    /// The status of the answer, or how the call failed and whether it may have happened.
    async fn outcome(&self) -> Result<u16, (CallErrorKind, bool)> {
        let outcome = self.call().send().await;
        outcome
            .map(|answer| answer.status.as_u16())
            .map_err(|error| (error.kind, error.may_have_happened()))
    }

    /// Attempts that reached the transport since this was last asked.
    fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.script.0.lock().unwrap().sent)
    }

    async fn spans(&self) -> Vec<Span> {
        self.collector.spans().await
    }

    /// How many spans ended with this error.
    async fn errors(&self, error_type: &str) -> usize {
        let spans = self.spans().await;
        let with = |span: &&Span| span.text("error.type") == Some(error_type);
        spans.iter().filter(with).count()
    }

    /// The value of a series, which must be there.
    fn metric(&self, series: &str) -> f64 {
        let page = self.telemetry.metrics_page(None).body;
        let value = page.lines().find_map(|line| line.strip_prefix(series));
        let value = value.unwrap_or_else(|| panic!("no {series} in\n{page}"));
        value.trim().parse().unwrap()
    }

    fn refused(&self, reason: &str) -> f64 {
        let labels = format!("{{callee=\"inventory\",reason=\"{reason}\"}}");
        self.metric(&format!("citywatch_calls_refused_total{labels}"))
    }

    fn breakers(&self, state: &str) -> f64 {
        let labels = format!("{{callee=\"inventory\",state=\"{state}\"}}");
        self.metric(&format!("citywatch_calls_breaker_state{labels}"))
    }
}
