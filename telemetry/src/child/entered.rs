//! Spans entered on this thread, and what was current before each.

use crate::context::entered::Entered;
use std::cell::RefCell;
use tracing::span::Id;

/// A layer and a span of its subscriber: ids of two subscribers may be the same.
type Key = (usize, Id);

thread_local! {
    static ENTERED: RefCell<Vec<(Key, Entered)>> = const { RefCell::new(Vec::new()) };
}

/// False if there is nothing to enter. What `enter` makes is large, so it is made where it goes.
pub(super) fn push(layer: usize, id: &Id, enter: impl FnOnce() -> Option<Entered>) -> bool {
    let pushed = ENTERED.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        let entered = enter();
        entered
            .map(|entered| stack.push(((layer, id.clone()), entered)))
            .is_some()
    });
    pushed.unwrap_or(false)
}

pub(super) fn pop(layer: usize, id: &Id) {
    let left = ENTERED.try_with(|stack| {
        let mut stack = stack.borrow_mut();
        let index = stack
            .iter()
            .rposition(|((of, entered), _)| (*of, entered) == (layer, id))?;
        if index + 1 == stack.len() {
            return stack.pop().map(|(_, left)| left);
        }
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
