//! What the registry is about, without I/O, tasks or a clock: every rule that depends on time is
//! told what time it is.

mod document;
mod instance;
mod leases;
mod name;

pub(crate) use app::Timestamp;
pub(crate) use document::{
    Document, Expect, InvalidDocument, MAX_DOCUMENTS, MEMBER_KEYS, SERVICE_KEYS, check_value,
    is_protected,
};
pub(crate) use instance::{Instance, InvalidInstance};
pub(crate) use leases::{Count, InstanceState, Leases, Limits, Listed, Readiness, Refused, View};
pub(crate) use name::{InvalidName, Name};
