//! Who is where, and what is configured: the client side of the registry.
//!
//! A service registers itself under a lease, watches the services that it calls and the documents
//! that configure it. Everything that was once learned is kept: when the registry is away, answers
//! `warming`, or has forgotten a service in a restart, callers go on with the last known list and
//! the last known good document, because stale beats empty.
//!
//! It never makes a network call where a request is served ([`Endpoints::load`] reads a snapshot),
//! never chooses an endpoint (that is `calls`), and never interprets a document (that is whoever
//! watches it).
#![warn(missing_docs)]

mod advertise;
mod backoff;
mod client;
mod discovery;
mod documents;
mod endpoint;
mod error;
mod follow;
mod lease;
mod sse;
mod transport;
mod watch;
mod wire;

pub use advertise::{Advertise, InvalidAdvertise};
pub use client::RegistryClient;
pub use discovery::Discovery;
pub use documents::{Document, DocumentSummary, Documents, Expect, Snapshot};
pub use endpoint::{Endpoint, Endpoints, ServiceSummary};
pub use error::RegistryError;
pub use lease::{Lease, Registration};
pub use transport::Credentials;
