//! Fault points where nothing is armed: within a request, and alone.

use std::hint::black_box;
use std::time::Duration;

use ::faults::{Faults, Point};
use anyhow::{Result, ensure};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use prometheus::Registry;
use tokio::runtime::Runtime;

use crate::request::{Layered, Nowhere, router, runtime};
use crate::subject::{Counts, Subject};

fn point(faults: &Faults) -> Point {
    faults.point("server", "a request has come in, its handler has not begun")
}

/// A middleware that hands on.
pub(crate) fn plain() -> Layered {
    let state = point(&Faults::default());
    layered(router().layer(from_fn_with_state(state, through)))
}

/// The same, with a fault point before it does.
pub(crate) fn with_point() -> Layered {
    let state = point(&Faults::default());
    layered(router().layer(from_fn_with_state(state, through_point)))
}

fn layered(router: Router) -> Layered {
    Layered {
        router,
        pipeline: Box::new(Nowhere),
    }
}

async fn through(State(_): State<Point>, request: Request, next: Next) -> Response {
    next.run(request).await
}

async fn through_point(State(point): State<Point>, request: Request, next: Next) -> Response {
    match point.pass().await {
        Ok(()) => next.run(request).await,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// Passes of one point, in an asynchronous function.
pub(crate) struct Passes {
    runtime: Runtime,
    faults: Faults,
    /// None: the loop without it.
    point: Option<Point>,
}

impl Passes {
    /// The loop alone.
    pub(crate) fn none() -> Result<Passes> {
        Ok(Passes {
            runtime: runtime()?,
            faults: Faults::default(),
            point: None,
        })
    }

    /// Faults may be armed in this process, or not.
    pub(crate) fn of(enabled: bool) -> Result<Passes> {
        let faults = Faults::new(enabled, &Registry::new())?;
        Ok(Passes {
            runtime: runtime()?,
            point: Some(point(&faults)),
            faults,
        })
    }
}

impl Subject for Passes {
    fn run(&mut self, times: u64) -> Result<()> {
        let before = self.faults.points();
        match &self.point {
            None => self.runtime.block_on(async {
                for _ in 0..times {
                    black_box(());
                }
            }),
            Some(point) => self.runtime.block_on(async {
                for _ in 0..times {
                    black_box(point).pass().await?;
                }
                anyhow::Ok(())
            })?,
        }
        for (before, after) in before.iter().zip(self.faults.points()) {
            let counted = if self.faults.is_enabled() { times } else { 0 };
            ensure!(after.hits == before.hits + counted, "{after:?}");
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn counts(&self) -> Option<Counts> {
        None
    }

    fn stop(&mut self, _: Duration) -> Result<Option<Counts>> {
        Ok(None)
    }

    fn router(&self) -> Option<Router> {
        None
    }
}
