//! The reader's half: whose events a service handles, and how.

use app::Parts;
use axum::Router;
use calls::edges::Edge;

use crate::Handler;
use crate::events::{OpenError, Place};

/// The feeds that a service follows.
pub(crate) struct Consumers {
    place: Place,
    feeds: Vec<&'static Edge>,
}

impl Consumers {
    pub(crate) fn new(place: Place) -> Result<Self, OpenError> {
        let feeds = Vec::new();
        Ok(Self { place, feeds })
    }

    /// Handles what the edge's callee publishes.
    pub(crate) fn add<H: Handler>(&mut self, edge: &'static Edge, handler: H) {
        let _ = (handler, &self.place);
        self.feeds.push(edge);
    }

    /// What operators see and do.
    pub(crate) fn routes(&self) -> Router {
        Router::new()
    }

    /// Adds the tasks and conditions of readiness.
    pub(crate) fn attach(self, parts: Parts) -> Parts {
        parts
    }
}
