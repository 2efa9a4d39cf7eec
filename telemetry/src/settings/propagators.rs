//! How contexts travel.

use super::env::Environment;
use crate::context::{Propagator, Propagators};

/// Beside others, `none` means nothing.
pub(super) fn read(env: &Environment<'_>) -> Propagators {
    let mut words = vec![("none", None)];
    words.extend(Propagator::ALL.map(|propagator| (propagator.name(), Some(propagator))));
    match env.list_of("OTEL_PROPAGATORS", &words) {
        None => Propagators::default(),
        Some(listed) => listed.into_iter().flatten().collect(),
    }
}
