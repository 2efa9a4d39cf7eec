//! Which spans and events are looked at, decided before any of their fields is.

use crate::context::current;
use crate::log;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata};
use tracing_subscriber::layer::{Context, Filter};

#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) spans: Level,
    pub(super) events: Level,
    /// Whether a span is recorded is decided for all layers.
    pub(super) for_all: bool,
}

impl Wanted {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let least = if metadata.is_span() {
            self.spans
        } else {
            self.events
        };
        *metadata.level() <= least
    }
}

impl<S> Filter<S> for Wanted {
    fn enabled(&self, metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        // A layer that decides for all is asked next.
        let left_open = self.for_all && metadata.is_span();
        self.wants(metadata) && (left_open || !is_unrecorded())
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.spans.max(self.events)))
    }
}

/// For which of a subscriber's layers it is decided that a span is not recorded.
#[derive(Debug, Clone)]
pub(super) enum Scope {
    /// For this one: others may want it.
    Own,
    All,
    /// For all, unless the log's filter wants spans.
    AllUnlessFollowed(log::Handle),
}

impl Scope {
    pub(super) fn is_for_all(&self) -> bool {
        !matches!(self, Scope::Own)
    }

    /// The span is not even made.
    pub(super) fn forbids(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
            && self.is_for_all()
            && is_unrecorded()
            && !matches!(self, Scope::AllUnlessFollowed(log) if log.follows_spans())
    }
}

/// There is a context, nothing in it is recorded, and nothing in it matters beyond that.
fn is_unrecorded() -> bool {
    let within = current::with_current(|current| {
        let attached = current.core.speaks_otel().then(current::attached_ids);
        let flags = attached
            .flatten()
            .map_or(current.flags, |(.., flags)| flags);
        let recorded = flags.is_sampled() && current.core.is_recording();
        // A sampler with branches for parents of this process may think otherwise.
        let stands = current.core.sampling().keeps_local();
        !recorded && stands && !current.carries_baggage()
    });
    within.unwrap_or_else(|| current::attached_ids().is_some_and(|(.., flags)| !flags.is_sampled()))
}
