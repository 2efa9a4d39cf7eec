//! Where a fault may strike: before and after each commit and each call.

use std::future::Future;

use faults::{Faults, Injected, Point};

/// The two points around one commit or one call.
#[derive(Debug, Clone)]
pub(crate) struct Around {
    before: Point,
    after: Point,
}

impl Around {
    /// Runs `work` between the two. A fault that strikes after it hides what became of it.
    pub(crate) async fn pass<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<Injected>,
        F: Future<Output = Result<T, E>>,
    {
        self.before.pass().await?;
        let outcome = work.await;
        self.after.pass().await?;
        outcome
    }
}

macro_rules! around {
    ($faults:expr, $step:literal, $what:literal, $about:expr) => {
        Around {
            before: $faults.point(
                concat!($step, ".before_", $what),
                concat!("Before ", $about, "."),
            ),
            after: $faults.point(
                concat!($step, ".after_", $what),
                concat!("After ", $about, "."),
            ),
        }
    };
}

/// A step of the saga: its call, and the commit of what came of it.
#[derive(Debug, Clone)]
pub(crate) struct StepPoints {
    pub send: Around,
    pub commit: Around,
}

macro_rules! step {
    ($faults:expr, $step:literal, $peer:literal) => {
        StepPoints {
            send: around!(
                $faults,
                $step,
                "send",
                concat!($step, " is sent to ", $peer)
            ),
            commit: around!(
                $faults,
                $step,
                "commit",
                concat!("the outcome of ", $step, " is written")
            ),
        }
    };
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

impl Points {
    pub(crate) fn new(faults: &Faults) -> Self {
        Self {
            cart: around!(faults, "cart", "send", "the cart is read"),
            prices: around!(faults, "prices", "send", "the prices are asked for"),
            order: around!(faults, "order", "commit", "the order is written"),
            reserve: step!(faults, "reserve", "inventory"),
            charge: step!(faults, "charge", "payments"),
            confirm: step!(faults, "confirm", "inventory"),
            refund: step!(faults, "refund", "payments"),
            release: step!(faults, "release", "inventory"),
            give_up: around!(
                faults,
                "give_up",
                "commit",
                "it is written that a step is given up"
            ),
            empty_cart: around!(faults, "empty_cart", "send", "the ordered cart is emptied"),
            answer: around!(faults, "answer", "commit", "the answer 202 is written"),
            adopt: around!(faults, "adopt", "commit", "due sagas are taken"),
            renew: around!(faults, "renew", "commit", "a lease is extended"),
            park: around!(faults, "park", "commit", "a saga is set aside"),
        }
    }
}
