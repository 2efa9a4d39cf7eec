//! Where a fault may strike: before and after each commit and each request to the bank.

use faults::{Faults, Point};

/// Around one commit or one request.
#[derive(Debug, Clone)]
pub(crate) struct Around {
    pub(crate) before: Point,
    pub(crate) after: Point,
}

#[derive(Debug, Clone)]
pub(crate) struct Points {
    /// The row of a charge, or a claim on it.
    pub(crate) charge_commit: Around,
    /// The request to charge.
    pub(crate) charge_send: Around,
    /// The question by reference.
    pub(crate) lookup_send: Around,
    /// What the bank said to a charge.
    pub(crate) capture_commit: Around,
    /// The will to refund, or a claim on it.
    pub(crate) refund_commit: Around,
    /// The request to refund.
    pub(crate) refund_send: Around,
    /// What the bank said to a refund.
    pub(crate) refunded_commit: Around,
    /// That the bank is asked whether it agrees, and that it was.
    pub(crate) reconcile_commit: Around,
}

impl Points {
    pub(crate) fn new(faults: &Faults) -> Self {
        macro_rules! around {
            ($step:literal, $what:literal, $about:literal) => {
                Around {
                    before: faults.point(concat!($step, ".before_", $what), $about),
                    after: faults.point(concat!($step, ".after_", $what), $about),
                }
            };
        }
        Self {
            charge_commit: around!("charge", "commit", "a charge is asked for or claimed"),
            charge_send: around!("charge", "send", "the bank is asked to charge"),
            lookup_send: around!("lookup", "send", "the bank is asked by reference"),
            capture_commit: around!("capture", "commit", "the bank's answer is written down"),
            refund_commit: around!("refund", "commit", "a refund is asked for or claimed"),
            refund_send: around!("refund", "send", "the bank is asked to refund"),
            refunded_commit: around!("refunded", "commit", "the end of a refund is written down"),
            reconcile_commit: around!("reconcile", "commit", "charges are checked with the bank"),
        }
    }
}
