//! What an operator may choose about HTTP.

use super::headers::Headers;
use super::methods::Methods;
use crate::settings::Settings;
use std::sync::Arc;

/// The choices, checked.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) methods: Arc<Methods>,
    pub(crate) request_headers: Headers,
    pub(crate) response_headers: Headers,
    pub(crate) body_sizes: bool,
}

/// A choice about HTTP that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// A known method is no method.
    #[error(
        "known method {0:?} cannot be one: list methods as they are on the wire, such as GET,PURGE \
         (OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS)"
    )]
    Method(String),
    /// Too many methods are known.
    #[error(
        "{0} known methods make too many series: list 31 at most \
         (OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS)"
    )]
    Methods(usize),
    /// A header to be recorded has no header's name.
    #[error("header {0:?} cannot be recorded: name it as on the wire, such as x-request-id")]
    Header(String),
}

impl Options {
    pub(crate) fn new(settings: &Settings) -> Result<Options, OptionsError> {
        let headers = |kind, names: &[String]| Headers::new(kind, names);
        Ok(Options {
            methods: Arc::new(Methods::new(settings.known_methods.as_deref())?),
            request_headers: headers("request", &settings.capture_request_headers)?,
            response_headers: headers("response", &settings.capture_response_headers)?,
            body_sizes: settings.body_sizes,
        })
    }
}
