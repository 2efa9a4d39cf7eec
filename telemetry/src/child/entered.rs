//! Spans entered on this thread, and what was current before each.

use crate::context::current::Entered;
use std::cell::RefCell;
use tracing::span::Id;

/// A layer and a span of its subscriber: ids of two subscribers may be the same.
type Key = (usize, Id);

thread_local! {
    static ENTERED: RefCell<Vec<(Key, Entered)>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn push(layer: usize, id: &Id, entered: Entered) {
    let mut entered = Some(entered);
    let _ = ENTERED.try_with(|stack| {
        if let Some(entered) = entered.take() {
            stack.borrow_mut().push(((layer, id.clone()), entered));
        }
    });
}

pub(super) fn pop(layer: usize, id: &Id) {
    let left = ENTERED.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        let index = stack
            .iter()
            .rposition(|((of, entered), _)| (*of, entered) == (layer, id))?;
        let (_, mut left) = stack.remove(index);
        // Left out of order: the next one restores what was current before this one.
        if let Some((_, next)) = stack.get_mut(index) {
            left.hand_over(next);
        }
        Some(left)
    });
    // Only now, with the stack free: it may end spans of the OpenTelemetry API.
    drop(left);
}
