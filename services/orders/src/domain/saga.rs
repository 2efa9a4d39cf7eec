//! The saga as a pure state machine: reserve, charge, confirm; or refund, release, cancel.
//!
//! [`next`] reads the log and names the step that is due. A peer's answer to a step becomes events
//! by [`Reply::events`]. Whoever drives it may be paused or killed anywhere and another goes on, so
//! three rules make every order end well:
//!
//! - Each step may be taken any number of times: peers know it by the order's id.
//! - [`Event::Compensating`] is in the log before anything is undone, and from then on no step
//!   forward is taken by anyone who has read it.
//! - An undo also forbids: a release that finds nothing leaves a tombstone, a refund that finds
//!   nothing voids the charge. So the step of a driver that was paused before it sent it, and is
//!   late by an hour, finds the door closed. That is why a refused reservation is released, too.

use super::{Event, Reason, Refunded};

/// What is to be done for an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Have a peer do its part.
    Take(Action),
    /// Say that the order is over.
    Cancel(Reason),
    /// Nothing: the order has ended.
    End,
}

/// What a peer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Have every item held.
    Reserve,
    /// Take the money.
    Charge,
    /// Have the held items sold.
    Confirm,
    /// Give the money back, or see to it that it is never taken.
    Refund,
    /// Let the items go, or see to it that they are never held.
    Release,
}

impl Action {
    pub(crate) const ALL: [Self; 5] = [
        Self::Reserve,
        Self::Charge,
        Self::Confirm,
        Self::Refund,
        Self::Release,
    ];

    /// The word for it, in metrics and logs.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Reserve => "reserve",
            Self::Charge => "charge",
            Self::Confirm => "confirm",
            Self::Refund => "refund",
            Self::Release => "release",
        }
    }

    /// Whether the order is cancelled rather than waited for when the action does not settle.
    ///
    /// An hour later nobody should be charged for what they have given up on. Once the money is
    /// taken there is nothing to be won: to cancel needs the same peer as to confirm, and the
    /// member has paid for what is still held.
    pub(crate) fn may_be_given_up(self) -> bool {
        matches!(self, Self::Reserve | Self::Charge)
    }
}

/// Which step is due after these events.
pub(crate) fn next<'a>(log: impl IntoIterator<Item = &'a Event>) -> Step {
    let mut seen = Seen::default();
    for event in log {
        seen.take(event);
    }
    match seen.cancelling {
        _ if seen.ended => Step::End,
        // Nobody charges before `Reserved` is in the log, and a declined charge stays declined
        // under its key.
        Some(_) if seen.reserved && !seen.declined && !seen.refunded => Step::Take(Action::Refund),
        Some(_) if !seen.released => Step::Take(Action::Release),
        Some(reason) => Step::Cancel(reason),
        None if !seen.reserved => Step::Take(Action::Reserve),
        None if !seen.charged => Step::Take(Action::Charge),
        None => Step::Take(Action::Confirm),
    }
}

#[derive(Debug, Default)]
struct Seen {
    reserved: bool,
    charged: bool,
    declined: bool,
    cancelling: Option<Reason>,
    refunded: bool,
    released: bool,
    ended: bool,
}

impl Seen {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Placed { .. }
            | Event::ReservationRefused
            | Event::Shipped { .. }
            | Event::Delivered { .. } => {}
            Event::Reserved => self.reserved = true,
            Event::Charged { .. } => self.charged = true,
            Event::ChargeDeclined => self.declined = true,
            Event::Compensating { reason } => self.cancelling = Some(*reason),
            Event::Refunded { .. } => self.refunded = true,
            Event::Released => self.released = true,
            Event::Confirmed | Event::Cancelled { .. } => self.ended = true,
        }
    }
}

/// What a peer said to a step: the step is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Every item is held.
    Held,
    /// Not every item can be.
    OutOfStock,
    /// What was held is held no more.
    HeldNoMore,
    /// The money is taken.
    Captured { reference: String },
    /// The bank does not give it.
    Declined,
    /// It must not be taken any more.
    ChargeVoided,
    /// The items are sold.
    Sold,
    /// The money is back.
    Refunded(Refunded),
    /// Nothing is held.
    Released,
}

impl Reply {
    /// What it adds to the log.
    pub(crate) fn events(self) -> Vec<Event> {
        let cancelling = |reason| Event::Compensating { reason };
        match self {
            Self::Held => vec![Event::Reserved],
            Self::OutOfStock => vec![Event::ReservationRefused, cancelling(Reason::OutOfStock)],
            Self::HeldNoMore => vec![cancelling(Reason::ReservationExpired)],
            Self::Captured { reference } => vec![Event::Charged { reference }],
            Self::Declined => vec![Event::ChargeDeclined, cancelling(Reason::PaymentDeclined)],
            Self::ChargeVoided => vec![cancelling(Reason::GaveUp)],
            Self::Sold => vec![Event::Confirmed],
            Self::Refunded(outcome) => vec![Event::Refunded { outcome }],
            Self::Released => vec![Event::Released],
        }
    }

    /// Whether the step did what it is for.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Held
            | Self::Captured { .. }
            | Self::Sold
            | Self::Refunded(_)
            | Self::Released => true,
            Self::OutOfStock | Self::HeldNoMore | Self::Declined | Self::ChargeVoided => false,
        }
    }
}

#[cfg(test)]
mod tests;
