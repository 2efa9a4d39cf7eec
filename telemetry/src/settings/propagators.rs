//! How contexts travel.

use super::env::Environment;
use crate::context::{Propagator, Propagators};

/// Beside others, `none` means nothing.
pub(super) fn read(env: &Environment<'_>) -> Propagators {
    let mut words = vec![("none", None)];
    words.extend(Propagator::ALL.map(|propagator| (propagator.name(), Some(propagator))));
    let expected =
        "a list of tracecontext, baggage, b3, b3multi, jaeger, xray and ottrace, or none";
    match env.list_of("OTEL_PROPAGATORS", expected, &words) {
        None => Propagators::default(),
        Some(listed) => listed.into_iter().flatten().collect(),
    }
}
