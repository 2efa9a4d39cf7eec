//! How contexts travel.

use super::env::Environment;
use crate::context::Propagators;

pub(super) fn read(env: &Environment<'_>) -> Propagators {
    #[derive(Clone, Copy, PartialEq)]
    enum Word {
        TraceContext,
        Baggage,
        None,
    }
    let words = [
        ("tracecontext", Word::TraceContext),
        ("baggage", Word::Baggage),
        ("none", Word::None),
    ];
    let expected = "a list of tracecontext and baggage, or none";
    let Some(listed) = env.list_of("OTEL_PROPAGATORS", expected, &words) else {
        return Propagators::default();
    };
    Propagators {
        tracecontext: listed.contains(&Word::TraceContext),
        baggage: listed.contains(&Word::Baggage),
    }
}
