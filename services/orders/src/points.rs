//! Where a fault may strike: before and after each commit and each call.

use faults::{Around, Faults};

/// A step of the saga: its call, and the commit of what came of it.
#[derive(Debug, Clone)]
pub(crate) struct StepPoints {
    pub send: Around,
    pub commit: Around,
}

/// All points of this service.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    /// Reading the cart that is ordered.
    pub cart: Around,
    /// Asking for the prices of what is in it.
    pub prices: Around,
    /// Writing the order, its saga and its key.
    pub order: Around,
    pub reserve: StepPoints,
    pub charge: StepPoints,
    pub confirm: StepPoints,
    pub refund: StepPoints,
    pub release: StepPoints,
    /// Writing that a step is given up.
    pub give_up: Around,
    /// Emptying the cart that was ordered.
    pub empty_cart: Around,
    /// Writing the answer 202.
    pub answer: Around,
    /// Taking sagas that are due.
    pub adopt: Around,
    /// Extending the lease of a saga.
    pub renew: Around,
    /// Setting a saga aside until its next try.
    pub park: Around,
}

impl StepPoints {
    fn new(faults: &Faults, step: &str, peer: &str) -> Self {
        let (sent, written) = (
            format!("{step} is sent to {peer}"),
            format!("the outcome of {step} is written"),
        );
        Self {
            send: faults.around(step, "send", &sent),
            commit: faults.around(step, "commit", &written),
        }
    }
}

impl Points {
    pub(crate) fn new(faults: &Faults) -> Self {
        let commit = |step, about| faults.around(step, "commit", about);
        let send = |step, about| faults.around(step, "send", about);
        let step = |step, peer| StepPoints::new(faults, step, peer);
        Self {
            cart: send("cart", "the cart is read"),
            prices: send("prices", "the prices are asked for"),
            order: commit("order", "the order is written"),
            reserve: step("reserve", "inventory"),
            charge: step("charge", "payments"),
            confirm: step("confirm", "inventory"),
            refund: step("refund", "payments"),
            release: step("release", "inventory"),
            give_up: commit("give_up", "it is written that a step is given up"),
            empty_cart: send("empty_cart", "the ordered cart is emptied"),
            answer: commit("answer", "the answer 202 is written"),
            adopt: commit("adopt", "due sagas are taken"),
            renew: commit("renew", "a lease is extended"),
            park: commit("park", "a saga is set aside"),
        }
    }
}
