//! What is measured: something that can be done many times, and what it leaves to be exported.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::ours;
use crate::request::{Caller, Layered, Requests};

/// One thing to measure. Each has a process of its own, since subscribers, tracers and propagators
/// are global.
pub(crate) trait Subject {
    /// Does it so many times on this thread, and checks what came out.
    fn run(&mut self, times: u64) -> Result<()>;

    /// Waits until everything recorded so far has left the process.
    fn flush(&mut self) -> Result<()>;

    /// Flushes, stops, and tells what became of the spans.
    fn end(&mut self) -> Result<Ended>;
}

/// What a subject says of its spans when it ends.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// Spans that it says were exported, if it counts them.
    pub(crate) exported: Option<u64>,
}

/// A subject as the command line and the tables name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// As readers call it.
    pub(crate) title: &'static str,
    /// How many of a hundred are sampled.
    pub(crate) per_cent: u32,
}

const fn variant(name: &'static str, title: &'static str, per_cent: u32) -> Variant {
    Variant {
        name,
        title,
        per_cent,
    }
}

pub(crate) const BARE: Variant = variant("bare", "bare axum", 0);
pub(crate) const IDENTITY: Variant = variant("identity", "identity layer", 0);
pub(crate) const OURS: Variant = variant("ours", "ours, sampled", 100);
pub(crate) const OURS_PARENT: Variant = variant("ours-parent", "ours, caller sampled", 100);
pub(crate) const OURS_OFF: Variant = variant("ours-off", "ours, not sampled", 0);
pub(crate) const OURS_PARENT_OFF: Variant =
    variant("ours-parent-off", "ours, caller not sampled", 0);
pub(crate) const OURS_ONE: Variant = variant("ours-1", "ours, 1 % sampled", 1);

/// Everything that can be measured.
pub(crate) const ALL: [Variant; 7] = [
    BARE,
    IDENTITY,
    OURS,
    OURS_PARENT,
    OURS_OFF,
    OURS_PARENT_OFF,
    OURS_ONE,
];

/// Sets a subject up; what it exports goes to `sink`.
pub(crate) fn build(name: &str, sink: SocketAddr) -> Result<Box<dyn Subject>> {
    let variant = ALL
        .into_iter()
        .find(|variant| variant.name == name)
        .with_context(|| format!("nothing to measure is called {name:?}"))?;
    Ok(match variant {
        BARE => Box::new(Requests::new(Layered::bare(), Caller::Untraced)?),
        IDENTITY => Box::new(Requests::new(Layered::identity(), Caller::Untraced)?),
        OURS_PARENT => Box::new(Requests::new(ours::layered(100, sink)?, Caller::Sampled)?),
        OURS_PARENT_OFF => Box::new(Requests::new(ours::layered(100, sink)?, Caller::Unsampled)?),
        _ => Box::new(Requests::new(
            ours::layered(variant.per_cent, sink)?,
            Caller::Untraced,
        )?),
    })
}
