//! HTTP servers and clients: spans, metrics and context, by the
//! [semantic conventions](https://opentelemetry.io/docs/specs/semconv/http/).
//!
//! [`Edge`] is the core: it needs neither tower nor `Send`. [`ServerLayer`] wraps it for axum,
//! [`ClientMiddleware`] for reqwest.

mod body;
mod client;
mod edge;
pub(crate) mod head;
mod headers;
mod layer;
pub(crate) mod methods;
mod middleware;
pub(crate) mod options;
mod origin;
mod scan;
pub(crate) mod semconv;
mod server;
mod sizes;
mod traceresponse;
mod url;

pub use body::TrackedBody;
pub use client::{ClientRequest, ClientSpan};
pub use edge::{Edge, ServerRequest, Trust};
pub use layer::{ResponseFuture, ServerLayer, ServerService, Traceresponse};
pub use middleware::{ClientMiddleware, ResendCount, UrlTemplate};
pub use options::OptionsError;
pub use server::{Scope, ServerSpan};
