//! What happens after the answer: a service tells what it did, and others act on it.
//!
//! An event is a row of the [`Outbox`], written in the transaction of the change that it tells of:
//! either both are there or neither. Whoever reads gives the rows their positions, so that a
//! position is never seen before a smaller one; the events of a subject keep the order in which
//! they were published. Other services follow the feed over HTTP (the conventions of
//! [http-feeds.org](https://www.http-feeds.org), `CloudEvents` in batches, long polls), each at its
//! own pace by its own cursor; replicas of the same service read their store's outbox.
//!
//! This crate never decides what an event means, and never sends one that is not committed.

#![warn(missing_docs)]

mod consumer;
mod event;
mod events;
mod feed;
mod handler;
mod metrics;
mod outbox;
mod points;
mod retention;
pub mod schema;
mod store;

pub use consumer::EventsApi;
pub use event::{Batch, Body, Event, Position};
pub use events::{Events, OpenError};
pub use handler::{Failure, Handler};
pub use outbox::{Outbox, PublishError, ReadError};
