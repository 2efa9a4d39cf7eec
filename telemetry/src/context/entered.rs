//! A context that is current until it is left, in any order.

use super::current::{Current, Ids, change, detach_late};
use std::marker::PhantomData;

/// Puts the previous context back when dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    previous: Previous,
    _otel: Option<opentelemetry::ContextGuard>,
    _not_send: PhantomData<*const ()>,
}

/// What was current before.
#[derive(Debug)]
enum Previous {
    Whole(Option<Current>),
    /// A span of the same service, at this address, that carried nothing.
    Ids(usize, Ids),
    /// Somebody else restores it.
    HandedOver,
}

pub(crate) fn enter(current: Option<Current>, otel: Option<opentelemetry::Context>) -> Entered {
    let _otel = otel.map(opentelemetry::Context::attach);
    Entered {
        previous: Previous::Whole(change(|cell| std::mem::replace(cell, current)).flatten()),
        _otel,
        _not_send: PhantomData,
    }
}

/// As [`enter`], for a span of the current service, at the address `core`: no reference is counted
/// and little is moved. `None` if something is carried or the OpenTelemetry API has to know.
pub(crate) fn enter_within(core: usize, ids: Ids) -> Option<Entered> {
    let previous = change(|cell| {
        let current = cell.as_mut()?;
        let alike = current.is_of(core) && current.carried.is_none();
        (alike && !current.core.speaks_otel()).then(|| current.replace_ids(ids))
    })??;
    Some(Entered {
        previous: Previous::Ids(core, previous),
        _otel: None,
        _not_send: PhantomData,
    })
}

impl Entered {
    /// Leaves out of order: `next` was entered later and will restore what this would have.
    pub(crate) fn hand_over(&mut self, next: &mut Entered) {
        let previous = std::mem::replace(&mut self.previous, Previous::HandedOver);
        match (previous, &mut next.previous) {
            (Previous::Ids(core, ids), Previous::Whole(Some(this))) if this.is_of(core) => {
                this.replace_ids(ids);
            }
            (previous, next) => *next = previous,
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        detach_late();
        let left = match &mut self.previous {
            Previous::Whole(previous) => {
                change(|cell| std::mem::replace(cell, previous.take())).flatten()
            }
            Previous::Ids(core, ids) => {
                let left = change(|cell| match cell {
                    Some(current) if current.is_of(*core) => {
                        current.replace_ids(*ids);
                        current.carried.take();
                        None
                    }
                    // Another service's was entered later and never left.
                    other => other.take(),
                });
                left.flatten()
            }
            Previous::HandedOver => None,
        };
        drop(left);
    }
}
