//! Spans of `tracing`, children of one that is under way.

use std::time::Duration;

use anyhow::Result;
use axum::Router;
use tokio::runtime::Runtime;

use crate::request::{Pipeline, runtime};
use crate::subject::{Counts, Subject};

/// Makes spans with two attributes each.
pub(crate) fn make(times: u64) {
    for order in 0..times {
        let span = tracing::info_span!("reserve", order, shop = "north");
        let _entered = span.enter();
    }
}

/// Children of a span that `within` begins and ends around [`make`].
pub(crate) struct Children<F> {
    within: F,
    pipeline: Box<dyn Pipeline>,
    runtime: Runtime,
}

impl<F: FnMut(u64)> Children<F> {
    pub(crate) fn new(within: F, pipeline: Box<dyn Pipeline>) -> Result<Children<F>> {
        Ok(Children {
            within,
            pipeline,
            runtime: runtime()?,
        })
    }
}

impl<F: FnMut(u64)> Subject for Children<F> {
    fn run(&mut self, times: u64) -> Result<()> {
        (self.within)(times);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.pipeline.flush(&self.runtime)
    }

    fn counts(&self) -> Option<Counts> {
        self.pipeline.counts()
    }

    fn stop(&mut self, deadline: Duration) -> Result<Option<Counts>> {
        self.pipeline.stop(&self.runtime, deadline)
    }

    fn router(&self) -> Option<Router> {
        None
    }
}
