//! HTTP servers and clients: spans, metrics and context, by the
//! [semantic conventions](https://opentelemetry.io/docs/specs/semconv/http/).
//!
//! [`Edge`] is the core: it needs neither tower nor `Send`. [`ServerLayer`] wraps it for axum,
//! [`ClientMiddleware`] for reqwest.

#[cfg(feature = "axum")]
mod body;
mod client;
#[cfg(feature = "axum")]
mod counted;
mod edge;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub(crate) mod head;
mod headers;
#[cfg(feature = "axum")]
mod layer;
pub(crate) mod methods;
#[cfg(feature = "axum")]
mod metrics_route;
#[cfg(feature = "reqwest")]
mod middleware;
pub(crate) mod options;
mod origin;
mod scan;
pub(crate) mod semconv;
pub(crate) mod server;
mod sizes;
mod url;

pub use client::{ClientRequest, ClientSpan};
pub use edge::{Edge, ServerRequest, Trust};
#[cfg(feature = "axum")]
pub use layer::{ResponseFuture, ServerLayer, ServerService, Traceresponse};
#[cfg(feature = "reqwest")]
pub use middleware::{ClientMiddleware, ErrorType, ResendCount, UrlTemplate};
pub use options::OptionsError;
pub use server::{Scope, ServerSpan};
