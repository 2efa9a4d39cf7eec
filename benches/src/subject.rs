//! What is measured: something that can be done many times, and what it leaves to be exported.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::Router;
use serde::{Deserialize, Serialize};

use crate::request::{Caller, Layered, Requests};
use crate::{faults, lines, ours};

/// One thing to measure. Each has a process of its own, since subscribers, tracers and propagators
/// are global.
pub(crate) trait Subject {
    /// Does it so many times on this thread, and checks what came out.
    fn run(&mut self, times: u64) -> Result<()>;

    /// Waits until everything recorded so far has left the process.
    fn flush(&mut self) -> Result<()>;

    /// What became of the spans so far, if it says so.
    fn counts(&self) -> Option<Counts>;

    /// Stops within the deadline.
    fn stop(&mut self, deadline: Duration) -> Result<Option<Counts>>;

    /// The service, to be put behind a socket, if it is one.
    fn router(&self) -> Option<Router>;
}

/// Spans by what became of them.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) produced: u64,
    pub(crate) exported: u64,
    pub(crate) dropped: u64,
    pub(crate) queued: u64,
}

/// A subject as the command line and the tables name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// As readers call it.
    pub(crate) title: &'static str,
    /// How many of a hundred are sampled.
    pub(crate) per_cent: u32,
    pub(crate) what: What,
}

/// What is done many times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A request through the service.
    Request,
    /// The same, of which the handler writes a line.
    Line,
    /// A child of one span for each run.
    Span,
    /// A fault point is passed.
    Pass,
}

const fn variant(name: &'static str, title: &'static str, per_cent: u32, what: What) -> Variant {
    Variant {
        name,
        title,
        per_cent,
        what,
    }
}

macro_rules! variants {
    ($($constant:ident = $name:literal, $title:literal, $per_cent:literal, $what:ident;)*) => {
        $(pub(crate) const $constant: Variant = variant($name, $title, $per_cent, What::$what);)*
        /// Everything that can be measured.
        const ALL: &[Variant] = &[$($constant),*];
    };
}

variants! {
    BARE = "bare", "bare axum", 0, Request;
    BARE_PARENT = "bare-parent", "bare axum, with a caller's header", 0, Request;
    IDENTITY = "identity", "identity layer", 0, Request;
    OURS = "ours", "ours, sampled", 100, Request;
    OURS_PARENT = "ours-parent", "ours, caller sampled", 100, Request;
    OURS_OFF = "ours-0", "ours, not sampled", 0, Request;
    OURS_PARENT_OFF = "ours-parent-0", "ours, caller not sampled", 0, Request;
    OURS_ONE = "ours-1", "ours, 1 % sampled", 1, Request;
    TRACING = "tracing", "axum-tracing-opentelemetry + metrics, sampled", 100, Request;
    TRACING_ONE = "tracing-1", "axum-tracing-opentelemetry + metrics, 1 %", 1, Request;
    TOWER = "tower", "opentelemetry-instrumentation-tower, sampled", 100, Request;
    TOWER_ONE = "tower-1", "opentelemetry-instrumentation-tower, 1 %", 1, Request;
    TOWER_OTEL = "tower-otel", "tower-otel + its metrics, sampled", 100, Request;
    TOWER_OTEL_ONE = "tower-otel-1", "tower-otel + its metrics, 1 %", 1, Request;
    SDK = "sdk", "the SDK by hand, one histogram, sampled", 100, Request;
    SDK_ONE = "sdk-1", "the SDK by hand, one histogram, 1 %", 1, Request;
    FASTRACE = "fastrace", "fastrace-axum (no metrics), sampled", 100, Request;
    FASTRACE_ONE = "fastrace-1", "fastrace-axum (no metrics), 1 %", 1, Request;
    LINE_OURS = "line-ours", "ours, sampled, and a line with its ids", 100, Line;
    LINE_FMT = "line-fmt", "bare axum and a line of fmt().json()", 0, Line;
    THROUGH = "through", "a middleware", 0, Request;
    THROUGH_POINT = "through-point", "a middleware with a fault point", 0, Request;
    PASS_NONE = "pass-none", "nothing", 0, Pass;
    PASS = "pass", "a fault point", 0, Pass;
    PASS_COUNTED = "pass-counted", "a fault point, faults enabled", 0, Pass;
    SPAN_OURS = "span-ours", "ours, sampled", 100, Span;
    SPAN_OURS_OFF = "span-ours-0", "ours, not sampled", 0, Span;
    SPAN_TRACING = "span-tracing", "tracing-opentelemetry, sampled", 100, Span;
    SPAN_TRACING_OFF = "span-tracing-0", "tracing-opentelemetry, not sampled", 0, Span;
}

/// Sets a subject up; what it exports goes to `sink`.
pub(crate) fn build(name: &str, sink: SocketAddr) -> Result<Box<dyn Subject>> {
    let variant = ALL
        .iter()
        .copied()
        .find(|variant| variant.name == name)
        .with_context(|| format!("nothing to measure is called {name:?}"))?;
    let per_cent = variant.per_cent;
    let (layered, caller) = match variant {
        BARE => (Layered::bare(), Caller::Untraced),
        BARE_PARENT => (Layered::bare(), Caller::Sampled),
        IDENTITY => (Layered::identity(), Caller::Untraced),
        OURS | OURS_OFF | OURS_ONE => (ours::layered(per_cent, sink)?, Caller::Untraced),
        OURS_PARENT => (ours::layered(100, sink)?, Caller::Sampled),
        OURS_PARENT_OFF => (ours::layered(100, sink)?, Caller::Unsampled),
        LINE_OURS => (lines::ours(per_cent, sink)?, Caller::Untraced),
        THROUGH => (faults::plain(), Caller::Untraced),
        THROUGH_POINT => (faults::with_point(), Caller::Untraced),
        PASS_NONE => return Ok(Box::new(faults::Passes::none()?)),
        PASS => return Ok(Box::new(faults::Passes::of(false)?)),
        PASS_COUNTED => return Ok(Box::new(faults::Passes::of(true)?)),
        SPAN_OURS | SPAN_OURS_OFF => return Ok(Box::new(ours::children(per_cent, sink)?)),
        peer => return build_peer(peer, sink),
    };
    Ok(Box::new(Requests::new(layered, caller)?))
}

#[cfg(not(feature = "peers"))]
fn build_peer(_: Variant, _: SocketAddr) -> Result<Box<dyn Subject>> {
    anyhow::bail!("built without the peers: cargo's feature `peers` of citywatch-benches")
}

#[cfg(feature = "peers")]
fn build_peer(variant: Variant, sink: SocketAddr) -> Result<Box<dyn Subject>> {
    use crate::peers;
    let per_cent = variant.per_cent;
    let layered = match variant {
        TRACING | TRACING_ONE => peers::requests::tracing(per_cent, sink)?,
        TOWER | TOWER_ONE => peers::requests::tower(per_cent, sink)?,
        TOWER_OTEL | TOWER_OTEL_ONE => peers::requests::tower_otel(per_cent, sink)?,
        SDK | SDK_ONE => peers::sdk::layered(per_cent, sink)?,
        FASTRACE | FASTRACE_ONE => peers::fastrace::layered(per_cent, sink)?,
        LINE_FMT => lines::fmt()?,
        SPAN_TRACING | SPAN_TRACING_OFF => {
            return Ok(Box::new(peers::children(per_cent, sink)?));
        }
        other => anyhow::bail!("{} is no peer", other.name),
    };
    Ok(Box::new(Requests::new(layered, Caller::Untraced)?))
}
