//! Whose the spans outside any context are.

use crate::context::current::{Carried, Current};
use crate::context::{SpanId, TraceFlags, TraceId};
use crate::core::{Alive, Core};
use crate::sampling::Subject;
use arc_swap::ArcSwap;
use std::sync::{Arc, LazyLock, Weak};

/// Whose the spans outside any context are.
#[derive(Debug, Clone)]
pub(super) enum Root {
    /// Nobody's: they are not recorded.
    None,
    Service(Weak<Alive>),
    /// The process's one service's.
    Process,
}

/// The services that share the process's subscriber.
static SERVICES: LazyLock<ArcSwap<Vec<Weak<Alive>>>> = LazyLock::new(ArcSwap::default);

/// Another service shares the process's subscriber.
pub(crate) fn announce(core: &Arc<Alive>) {
    SERVICES.rcu(|services| {
        let alive = services.iter().filter(|service| service.strong_count() > 0);
        let mut services: Vec<_> = alive.cloned().collect();
        services.push(Arc::downgrade(core));
        services
    });
}

impl Root {
    pub(super) fn core(&self) -> Option<Arc<Core>> {
        let alive = match self {
            Root::None => return None,
            Root::Service(core) => core.upgrade()?,
            Root::Process => {
                let services = SERVICES.load();
                let mut alive = services.iter().filter_map(Weak::upgrade);
                // With several, nobody could say whose a span is.
                alive.next().filter(|_| alive.next().is_none())?
            }
        };
        Some(Arc::clone(&alive))
    }
}

/// A trace that begins here, with a span of this name.
pub(super) fn begin(core: Arc<Core>, name: &str) -> Current {
    let trace_id = TraceId::random();
    let subject = Subject {
        route: name,
        ..Subject::default()
    };
    let decision = core.sample(trace_id, None, || subject);
    Current {
        trace_id,
        span_id: SpanId(0),
        flags: TraceFlags::RANDOM.with_sampled(decision.sampled),
        core,
        carried: Carried::with_tracestate(None, decision.tracestate.unwrap_or_default()),
    }
}
