//! Where a fault may strike, beside the points around the events.

use faults::{Around, Faults};

use crate::domain::Move;

/// All points of this service.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    /// Taking moves that are due.
    pub take: Around,
    dispatch: Around,
    deliver: Around,
    /// Giving moves to another instance.
    pub let_go: Around,
}

impl Points {
    pub(crate) fn new(faults: &Faults) -> Self {
        let commit = |step, about| faults.around(step, "commit", about);
        Self {
            take: commit("take", "due moves are taken"),
            dispatch: commit("dispatch", "a dispatch and its event are written"),
            deliver: commit("deliver", "a delivery and its event are written"),
            let_go: commit("let_go", "moves are given to another instance"),
        }
    }

    /// Around the commit of a move.
    pub(crate) fn of(&self, step: Move) -> &Around {
        match step {
            Move::Dispatch => &self.dispatch,
            Move::Deliver => &self.deliver,
        }
    }
}
