//! What an order is, and what has to be done for it. No I/O, no clock, no SQL.

mod event;
mod key;
mod order;
mod parcel;
mod saga;

pub(crate) use event::{Event, Reason, Recorded, Refunded};
pub(crate) use key::Key;
pub(crate) use order::{Item, Localized, Order, Status, Unorderable, total};
pub(crate) use parcel::Parcel;
pub(crate) use saga::{Action, Reply, Step, next};
