//! The reader's half: whose events a service handles, and how.
//!
//! All instances of a service are one group: a feed has one cursor, in the service's own store, and
//! an event's effect, the cursor's move and the commit are one transaction. Whatever dies or is done
//! twice, of two who handle an event one finds the cursor moved and undoes what it did.
//!
//! An event that fails is parked with its subject: it is tried again at growing intervals, later
//! events of the subject queue behind it, and others pass. After its last attempt it is a dead
//! letter, which keeps its subject until an operator has it tried again or gives it up.

mod apply;
mod attempt;
mod bulk;
mod cursor;
mod follow;
mod metrics;
mod operator;
mod parked;
mod reader;
mod retry;
mod status;

pub use operator::EventsApi;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use app::Parts;
use axum::Router;
use calls::edges::Edge;
use faults::{Around, Faults, Injected, Point};
use stores::sql::{StoreError, Transaction};
use tokio::sync::Notify;

use crate::events::{OpenError, Place};
use crate::{Event, Failure, Handler};
use attempt::Attempts;
use cursor::Cursors;
use follow::Follower;
use metrics::Metrics;
use operator::{Desk, Followed};
use parked::Lot;
use reader::Reader;
use status::Status;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A [`Handler`] of whatever type.
trait Handle: Send + Sync {
    fn types(&self) -> &'static [&'static str];

    fn handle<'a>(
        &'a self,
        event: &'a Event,
        tx: &'a mut Transaction,
    ) -> Boxed<'a, Result<(), Failure>>;

    fn in_bulk(&self) -> bool;

    fn handle_all<'a>(
        &'a self,
        events: &'a [&'a Event],
        tx: &'a mut Transaction,
    ) -> Boxed<'a, Result<(), Failure>>;

    fn reset<'a>(&'a self, tx: &'a mut Transaction) -> Boxed<'a, Result<(), Failure>>;
}

impl<H: Handler> Handle for H {
    fn types(&self) -> &'static [&'static str] {
        H::TYPES
    }

    fn handle<'a>(
        &'a self,
        event: &'a Event,
        tx: &'a mut Transaction,
    ) -> Boxed<'a, Result<(), Failure>> {
        Box::pin(Handler::handle(self, event, tx))
    }

    fn in_bulk(&self) -> bool {
        H::IN_BULK
    }

    fn handle_all<'a>(
        &'a self,
        events: &'a [&'a Event],
        tx: &'a mut Transaction,
    ) -> Boxed<'a, Result<(), Failure>> {
        Box::pin(Handler::handle_all(self, events, tx))
    }

    fn reset<'a>(&'a self, tx: &'a mut Transaction) -> Boxed<'a, Result<(), Failure>> {
        Box::pin(Handler::reset(self, tx))
    }
}

/// Why an instance does not go on with a feed where it was.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    /// The cursor, or a parked event, is not where this instance left it.
    #[error("another instance has gone on with the feed")]
    Fenced,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Injected(#[from] Injected),
}

impl Interrupted {
    /// `error.type`, a closed set.
    fn error_type(&self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::Store(_) => "store",
            Self::Injected(_) => "injected",
        }
    }
}

/// Where a fault may strike a feed's consumer.
#[derive(Clone)]
struct Points {
    /// The feed is asked.
    send: Around,
    /// An event is handled, again or for the first time: an error here is the event's own.
    effect: Point,
    /// The effect and the cursor are written.
    commit: Around,
    /// A failed event is put aside.
    park: Around,
    /// What came of another attempt is written.
    retry: Around,
}

impl Points {
    fn new(faults: &Faults, feed: &str) -> Self {
        let commit = |step: &str, about: &str| {
            let step = format!("{feed}{step}");
            faults.around(&step, "commit", about)
        };
        Self {
            send: faults.around(feed, "send", "the feed is asked for events"),
            effect: faults.point(
                format!("{feed}.effect"),
                "an event is handled; an error poisons it",
            ),
            commit: commit("", "an event's effect and the cursor are written"),
            park: commit(".park", "a failed event is put aside"),
            retry: commit(".retry", "the outcome of another attempt is written"),
        }
    }
}

/// The feeds that a service follows.
pub(crate) struct Consumers {
    place: Place,
    metrics: Metrics,
    followers: Vec<Follower>,
}

impl Consumers {
    pub(crate) fn new(place: Place) -> Result<Self, OpenError> {
        let metrics = Metrics::register(place.telemetry.registry())?;
        Ok(Self {
            place,
            metrics,
            followers: Vec::new(),
        })
    }

    /// Handles what the edge's callee publishes.
    pub(crate) fn add<H: Handler>(&mut self, edge: &'static Edge, handler: H) {
        let (place, feed) = (&self.place, edge.callee);
        let status = Arc::new(Status::new(feed));
        self.metrics.born(&status, H::TYPES);
        let points = Points::new(&place.faults, feed);
        self.followers.push(Follower {
            cursors: Cursors {
                sql: place.sql.clone(),
                feed,
                owner: place.instance_id.clone(),
            },
            lot: Lot {
                sql: place.sql.clone(),
            },
            reader: Reader {
                client: place.calls.held(edge),
                send: points.send.clone(),
                status: Arc::clone(&status),
            },
            handler: Arc::new(handler),
            attempts: Attempts {
                destination: place.telemetry.messaging("citywatch").destination(feed),
                group: place.service,
                feed,
                metrics: self.metrics.clone(),
            },
            points,
            status,
            common: place.common.clone(),
            nudge: Arc::new(Notify::new()),
            tries: BTreeMap::new(),
        });
    }

    /// What operators see and do.
    pub(crate) fn routes(&self) -> Router {
        let followed = self.followers.iter().map(|follower| Followed {
            cursors: follower.cursors.clone(),
            handler: Arc::clone(&follower.handler),
            nudge: Arc::clone(&follower.nudge),
        });
        operator::router(Desk {
            service: self.place.service,
            sql: self.place.sql.clone(),
            outbox: self.place.outbox.clone(),
            lot: Lot {
                sql: self.place.sql.clone(),
            },
            followed: followed.collect(),
        })
    }

    /// Adds the tasks, and what readiness is to say of them.
    pub(crate) fn attach(self, mut parts: Parts) -> Parts {
        for follower in self.followers {
            let feed = follower.cursors.feed;
            let status = Arc::clone(&follower.status);
            let stopping = self.place.stopping.clone();
            parts = parts
                .remark(feed, move || status.known().stalled)
                .task(feed, follower.run(stopping));
        }
        parts
    }
}
