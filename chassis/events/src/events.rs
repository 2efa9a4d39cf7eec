//! All that a service has to do with events, put together.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use app::{City, Parts};
use axum::Router;
use calls::Calls;
use calls::edges::Edge;
use faults::Faults;
use stores::sql::{Sql, StoreError};
use telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::consumer::Consumers;
use crate::feed::{self, Feed};
use crate::points::Points;
use crate::{Body, Handler, Outbox, retention};

/// Why a service cannot publish or handle events.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The tables cannot be made or read.
    #[error("the tables of events cannot be opened")]
    Store(#[from] StoreError),
    /// A metric's name is taken.
    #[error("the metrics of events cannot be registered")]
    Metrics(#[from] prometheus::Error),
}

/// What a service gives to those who handle events in it.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) service: &'static str,
    pub(crate) instance_id: String,
    pub(crate) common: app::Live<app::Common>,
    pub(crate) telemetry: Telemetry,
    pub(crate) faults: Faults,
    pub(crate) calls: Calls,
    pub(crate) stopping: CancellationToken,
    pub(crate) sql: Sql,
    pub(crate) outbox: Outbox,
}

/// All that a service has to do with events: what it publishes, who may read that, and whose
/// events it handles.
pub struct Events {
    place: Place,
    points: Points,
    /// Somebody was given the outbox.
    publishes: AtomicBool,
    readers: &'static [&'static str],
    consumers: Consumers,
}

impl Events {
    /// Makes the tables of events in the service's store, or brings them up to date.
    ///
    /// # Errors
    /// They cannot be made, or [`open`](Self::open) was called before in this service.
    pub async fn open<S>(city: &City<S>, sql: &Sql) -> Result<Self, OpenError> {
        let outbox = Outbox::open(&city.telemetry, sql, city.service, &city.stopping).await?;
        let place = Place {
            service: city.service,
            instance_id: city.instance_id.clone(),
            common: city.common.clone(),
            telemetry: city.telemetry.clone(),
            faults: city.faults.clone(),
            calls: city.calls.clone(),
            stopping: city.stopping.clone(),
            sql: sql.clone(),
            outbox,
        };
        Ok(Self {
            points: Points::new(&city.faults),
            publishes: AtomicBool::new(false),
            readers: &[],
            consumers: Consumers::new(place.clone())?,
            place,
        })
    }

    /// Where the service publishes.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        self.publishes.store(true, Relaxed);
        self.place.outbox.clone()
    }

    /// Shows the metrics of a type from the start, at zero, not from when it is first published.
    #[must_use]
    pub fn publishes<B: Body>(self) -> Self {
        self.place.outbox.metrics().born(B::TYPE);
        self
    }

    /// Lets these services read what is published: `GET /inner/v1/feed`.
    #[must_use]
    pub fn feed_for(mut self, readers: &'static [&'static str]) -> Self {
        self.readers = readers;
        self
    }

    /// Handles what the edge's callee publishes. All instances of the service are one group: each
    /// event has its effect once.
    #[must_use]
    pub fn consume<H: Handler>(mut self, edge: &'static Edge, handler: H) -> Self {
        self.consumers.add(edge, handler);
        self
    }

    /// The service to be run: its own routes, and those and the tasks of its events. A service that
    /// never asked for its [`outbox`](Self::outbox) publishes nothing, and has no feed.
    #[must_use]
    pub fn into_parts(self, router: Router) -> Parts {
        let Self {
            place,
            points,
            publishes,
            readers,
            consumers,
        } = self;
        let parts = Parts::router(router.merge(consumers.routes()));
        if !publishes.into_inner() {
            return consumers.attach(parts);
        }
        let (outbox, stopping) = (place.outbox, place.stopping);
        let feed = Feed {
            outbox: outbox.clone(),
            readers,
            send: points.send.clone(),
        };
        let parts = parts
            .held(feed::route(feed))
            .task(
                "feed",
                feed::number(outbox.clone(), points.clone(), stopping.clone()),
            )
            .task(
                "retention",
                retention::run(outbox, points, place.common, stopping),
            );
        consumers.attach(parts)
    }
}
