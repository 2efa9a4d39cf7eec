//! The feed of a producer that a test plays: real HTTP, and the wire of the real feed.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use app::Timestamp;
use axum::{
    Router,
    extract::{Query, State},
    response::{IntoResponse, Response},
    routing::get,
};
use identity::{KeySet, Verifier};
use reqwest::{
    StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};
use serde_json::{Value, json};
use telemetry::context::{SpanContext, SpanId, TraceFlags, TraceId, TraceState, traceparent};
use tokio::{net::TcpListener, sync::watch};

use crate::Town;

/// A producer's feed, which a test fills. It answers as the real one does: CloudEvents by the
/// batch, a long poll, the head's position, 410 for what is gone, and nothing to strangers.
#[derive(Clone)]
pub struct Feed {
    producer: &'static str,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<Log>,
    /// Fires when something was published, or the feed changed its mood.
    changed: watch::Sender<u64>,
    verifier: Verifier,
}

#[derive(Default)]
struct Log {
    events: Vec<Value>,
    /// Events at and before this position are gone.
    gone: usize,
    away: bool,
    asked: Vec<(String, Option<String>)>,
    refused: usize,
}

/// An event that was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// Its id.
    pub id: String,
    /// The span that published it.
    pub sent_by: SpanContext,
}

impl Feed {
    /// A feed of `producer` without events, for consumers of this town.
    ///
    /// # Panics
    /// It cannot listen.
    pub async fn open(town: &Town, producer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut feed = Self::silent(town, producer);
        feed.address = listener.local_addr().expect("an address");
        let router = feed.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        feed
    }

    /// The same without a listener of its own: [`router`](Self::router) is for the test to serve,
    /// beside what else the producer answers.
    ///
    /// # Panics
    /// The town's keys are none.
    #[must_use]
    pub fn silent(town: &Town, producer: &'static str) -> Self {
        let keys = KeySet::new();
        keys.replace(serde_json::from_value(town.service_jwks()).expect("keys"));
        Self {
            producer,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            shared: Arc::new(Shared {
                state: Mutex::default(),
                changed: watch::Sender::new(0),
                verifier: Verifier::services(keys, producer),
            }),
        }
    }

    /// The route of the feed.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/inner/v1/feed", get(read))
            .with_state(Arc::clone(&self.shared))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// For the setting `instances` of its consumers: `json!({"instances": feed.instances()})`.
    #[must_use]
    pub fn instances(&self) -> BTreeMap<&'static str, [SocketAddr; 1]> {
        [(self.producer, [self.address])].into()
    }

    /// Publishes an event, in a trace of its own. `kind` is `orders.OrderConfirmed.v1` or the like.
    pub fn publish(&self, kind: &str, subject: &str, data: &Value) -> Published {
        self.publish_in(TraceId::random(), kind, subject, data)
    }

    /// Publishes an event as a part of a trace.
    pub fn publish_in(
        &self,
        trace_id: TraceId,
        kind: &str,
        subject: &str,
        data: &Value,
    ) -> Published {
        let sent_by = SpanContext {
            trace_id,
            span_id: SpanId::random(),
            flags: TraceFlags::SAMPLED,
            tracestate: TraceState::NONE,
        };
        let id = uuid::Uuid::now_v7().to_string();
        let mut state = self.shared.state();
        let position = state.events.len() + 1;
        state.events.push(json!({
            "specversion": "1.0",
            "id": id,
            "source": format!("/citywatch/{}", self.producer),
            "type": format!("citywatch.{kind}"),
            "subject": subject,
            "time": Timestamp::from(SystemTime::now()),
            "datacontenttype": "application/json",
            "sequence": position.to_string(),
            "traceparent": String::from_utf8_lossy(&traceparent(&sent_by)),
            "data": data,
        }));
        drop(state);
        self.shared.change();
        Published { id, sent_by }
    }

    /// Forgets the first `count` events, as retention does.
    pub fn truncate(&self, count: usize) {
        self.shared.state().gone = count;
        self.shared.change();
    }

    /// Whether it answers everything with 503 from now on.
    pub fn set_away(&self, away: bool) {
        self.shared.state().away = away;
        self.shared.change();
    }

    /// Who has asked so far, and after which event.
    #[must_use]
    pub fn asked(&self) -> Vec<(String, Option<String>)> {
        self.shared.state().asked.clone()
    }

    /// How often it was asked while it was away.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.shared.state().refused
    }

    /// How many events were published.
    #[must_use]
    pub fn head(&self) -> usize {
        self.shared.state().events.len()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Log> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    /// The answer now; none where a long poll would wait.
    fn answer(&self, after: Option<&str>, limit: usize) -> Option<Response> {
        let mut state = self.state();
        if state.away {
            state.refused += 1;
            return Some(StatusCode::SERVICE_UNAVAILABLE.into_response());
        }
        let known = |id: &str| state.events.iter().position(|event| event["id"] == id);
        let from = match after {
            None => state.gone,
            Some(id) => match known(id) {
                Some(at) if at + 1 >= state.gone => at + 1,
                _ => return Some(truncated()),
            },
        };
        let batch: Vec<_> = state.events.iter().skip(from).take(limit).collect();
        if batch.is_empty() {
            return None;
        }
        Some(batch_of(&json!(batch), state.events.len()))
    }
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(rename = "lastEventId")]
    last_event_id: Option<String>,
    timeout: Option<u64>,
    limit: Option<usize>,
}

async fn read(
    State(shared): State<Arc<Shared>>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let token = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    let token = token.and_then(|it| it.strip_prefix("Bearer "));
    let Some(caller) = token.and_then(|token| shared.verifier.verify(token).ok()) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let after = asked.last_event_id;
    let asks = (caller.iss.clone(), after.clone());
    shared.state().asked.push(asks);
    let limit = asked.limit.unwrap_or(100);
    let wait = Duration::from_millis(asked.timeout.unwrap_or_default());
    let mut changed = shared.changed.subscribe();
    let answer = async {
        loop {
            if let Some(answer) = shared.answer(after.as_deref(), limit) {
                return answer;
            }
            let _ = changed.changed().await;
        }
    };
    match tokio::time::timeout(wait, answer).await {
        Ok(answer) => answer,
        Err(_) => batch_of(&json!([]), shared.state().events.len()),
    }
}

fn batch_of(events: &Value, head: usize) -> Response {
    let kind = "application/cloudevents-batch+json";
    let headers = [
        (CONTENT_TYPE.as_str(), kind.to_owned()),
        ("citywatch-feed-head", head.to_string()),
    ];
    (headers, events.to_string()).into_response()
}

fn truncated() -> Response {
    let problem = json!({
        "type": "about:blank", "title": "The feed no longer goes back that far",
        "status": 410, "code": "feed_truncated",
    });
    let headers = [(CONTENT_TYPE, "application/problem+json")];
    (StatusCode::GONE, headers, problem.to_string()).into_response()
}
