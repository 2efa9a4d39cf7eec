//! Which events become lines, changed while the service runs.

use std::fmt;
use std::sync::Arc;

use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::reload;

/// A log filter that could not be understood or applied. The one in force stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log filter {directives:?} is not valid: {reason}")]
pub struct FilterError {
    directives: String,
    reason: String,
}

type Replace = dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync;

/// Changes the filter of a running log layer. The default has no layer: it only checks.
#[derive(Clone, Default)]
pub(crate) struct FilterHandle {
    replace: Option<Arc<Replace>>,
}

impl FilterHandle {
    pub(super) fn new<S: 'static>(handle: reload::Handle<EnvFilter, S>) -> FilterHandle {
        FilterHandle {
            replace: Some(Arc::new(move |filter| handle.reload(filter))),
        }
    }

    /// Replaces the filter for all services of the process.
    pub(crate) fn set(&self, directives: &str) -> Result<(), FilterError> {
        let filter = parse(directives)?;
        match &self.replace {
            Some(replace) => replace(filter).map_err(|error| failure(directives, &error)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for FilterHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilterHandle")
            .field("live", &self.replace.is_some())
            .finish()
    }
}

pub(super) fn parse(directives: &str) -> Result<EnvFilter, FilterError> {
    if directives.trim().is_empty() {
        // The grammar would take it for "errors only", which nobody means by nothing.
        return Err(failure(
            directives,
            &"it is empty, write for example `info`",
        ));
    }
    EnvFilter::try_new(directives).map_err(|error| failure(directives, &error))
}

fn failure(directives: &str, reason: &dyn fmt::Display) -> FilterError {
    FilterError {
        directives: directives.to_owned(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_says_what_is_wrong() {
        for wrong in ["", "  ", "catalog=loud", "info,[", "a=b=c"] {
            let error = FilterHandle::default().set(wrong).unwrap_err();
            assert!(error.to_string().contains(&format!("{wrong:?}")), "{error}");
        }
        FilterHandle::default()
            .set("info,catalog::http=debug,[search]=trace")
            .unwrap();
    }
}
