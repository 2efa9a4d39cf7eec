//! A charge, and what may become of it. Nothing here reads a clock, a row or the wire.

use std::time::Duration;

use app::Timestamp;
use app::money::Money;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::claim::Lease;

/// How often the bank is asked about a charge that was claimed more than once. The time between
/// two checks is ten times that before.
const CHECKS: i64 = 4;
/// The pause after the first attempt that came to nothing; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Where a charge stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// The bank may have been asked; what it said is not known.
    Asked,
    /// The bank has charged it.
    Captured,
    /// The bank would not.
    Declined,
    /// To be voided, or refunded if the bank has charged after all.
    Voiding,
    /// Captured, and to be refunded.
    Refunding,
    /// The bank has charged it and given it back.
    Refunded,
    /// Never charged, and never to be.
    Voided,
}

impl State {
    pub(crate) const ALL: [Self; 7] = [
        Self::Asked,
        Self::Captured,
        Self::Declined,
        Self::Voiding,
        Self::Refunding,
        Self::Refunded,
        Self::Voided,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Captured => "captured",
            Self::Declined => "declined",
            Self::Voiding => "voiding",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
            Self::Voided => "voided",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What is charged, to whom and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) order_id: Uuid,
    pub(crate) member_id: String,
    pub(crate) amount: Money,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) key: Uuid,
    /// None: voided before anyone charged it.
    pub(crate) terms: Option<Terms>,
    pub(crate) state: State,
    /// The charge at the bank that counts.
    pub(crate) bank_id: Option<Uuid>,
    /// Numbers the claims.
    pub(crate) attempt: i64,
    /// Who made the last one.
    pub(crate) owner: String,
    /// When the next may be made; none when it is settled.
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) check_at: Option<Timestamp>,
    pub(crate) checks: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// What a request or the resolver may do with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is as it will stay, as far as this request goes.
    Done,
    /// It was claimed: act.
    Claimed,
    /// Another claim lasts, made by this instance or another.
    Held,
    /// The same key was used for another charge.
    Differs,
}

/// What became of an attempt to charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The bank has charged it; `more` than once, even.
    Captured {
        id: Uuid,
        more: bool,
    },
    Declined,
    /// This attempt certainly sent nothing.
    NotSent,
    /// It may have been charged, or may yet be.
    Unknown,
}

/// What became of an attempt to give a charge back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GivenBack {
    /// The bank has charged this, and has given it back.
    Refunded(Uuid),
    /// The bank has never charged anything.
    Nothing,
    Unknown,
}

/// The times by which rows move.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) now: Timestamp,
    /// How long the bank may take to book what it was sent.
    pub(crate) settle: Duration,
    /// When the bank is asked whether it agrees.
    pub(crate) check_after: Duration,
}

impl Charge {
    /// A charge that was never asked for before, claimed.
    pub(crate) fn asked(key: Uuid, terms: Terms, lease: &Lease) -> Self {
        Self {
            terms: Some(terms),
            state: State::Asked,
            attempt: 1,
            owner: lease.owner.clone(),
            due_at: Some(lease.until),
            check_at: None,
            ..Self::tombstone(key, lease)
        }
    }

    /// A key that is voided before anyone charged it. The row would be there if this store had
    /// ever sent it to the bank; the bank is asked all the same, soon.
    pub(crate) fn tombstone(key: Uuid, lease: &Lease) -> Self {
        Self {
            key,
            terms: None,
            state: State::Voided,
            bank_id: None,
            attempt: 0,
            owner: lease.owner.clone(),
            due_at: None,
            check_at: Some(lease.now),
            checks: 0,
            created_at: lease.now,
            updated_at: lease.now,
        }
    }

    /// It is to be charged, again.
    pub(crate) fn charge(&mut self, terms: &Terms, lease: &Lease) -> Step {
        match (&self.terms, self.state) {
            (Some(known), _) if known != terms => Step::Differs,
            (_, State::Asked) => self.claim(lease),
            _ => Step::Done,
        }
    }

    /// It is to be voided or refunded, again.
    pub(crate) fn refund(&mut self, lease: &Lease) -> Step {
        match self.state {
            State::Refunded | State::Voided => Step::Done,
            State::Declined => {
                self.settle(State::Voided, self.check_at);
                Step::Done
            }
            State::Captured => {
                self.state = State::Refunding;
                self.due_at = Some(lease.now);
                self.claim(lease)
            }
            State::Asked => {
                self.state = State::Voiding;
                self.claim(lease)
            }
            State::Voiding | State::Refunding => self.claim(lease),
        }
    }

    /// Claims it unless another claim lasts.
    pub(crate) fn claim(&mut self, lease: &Lease) -> Step {
        match self.due_at {
            None => Step::Done,
            Some(due) if due > lease.now => Step::Held,
            Some(_) => {
                self.attempt += 1;
                self.owner.clone_from(&lease.owner);
                self.due_at = Some(lease.until);
                self.updated_at = lease.now;
                Step::Claimed
            }
        }
    }

    /// What the attempt of this number to charge came to.
    pub(crate) fn learn(&mut self, attempt: i64, outcome: Outcome, times: Times) {
        let now = times.now;
        self.updated_at = now;
        if self.attempt != attempt {
            // The claim was lost: another has asked the bank, perhaps before this one charged.
            if matches!(outcome, Outcome::Captured { .. } | Outcome::Unknown) {
                self.check_at = Some(now);
            }
            return;
        }
        let later = now.plus(times.settle.max(pause(attempt)));
        match (self.state, outcome) {
            (State::Asked, Outcome::Captured { id, more }) => {
                self.bank_id = Some(id);
                let wait = if more {
                    Duration::ZERO
                } else {
                    times.check_after
                };
                self.settle(State::Captured, Some(now.plus(wait)));
            }
            (State::Asked, Outcome::Declined) => {
                self.settle(State::Declined, Some(now.plus(times.check_after)));
            }
            (State::Voiding, Outcome::Captured { id, .. }) => {
                self.bank_id = Some(id);
                self.state = State::Refunding;
                self.due_at = Some(now);
            }
            (State::Voiding, Outcome::Declined) => {
                self.settle(State::Voided, Some(now.plus(times.check_after)));
            }
            (State::Asked, Outcome::NotSent) => self.due_at = Some(now.plus(pause(attempt))),
            (State::Voiding, Outcome::NotSent) => self.due_at = Some(now),
            (State::Asked | State::Voiding, Outcome::Unknown) => self.due_at = Some(later),
            // No other state is reached while an attempt to charge is the newest.
            _ => {}
        }
    }

    /// What the attempt of this number to give it back came to.
    pub(crate) fn give_back(&mut self, attempt: i64, outcome: GivenBack, times: Times) {
        if self.attempt != attempt || self.due_at.is_none() {
            return;
        }
        self.updated_at = times.now;
        let check = Some(times.now.plus(times.check_after));
        match (outcome, self.bank_id) {
            (GivenBack::Refunded(id), known) => {
                self.bank_id = known.or(Some(id));
                self.settle(State::Refunded, check);
            }
            (GivenBack::Nothing, None) => self.settle(State::Voided, check),
            // It has charged this before: its book must have it.
            (GivenBack::Nothing, Some(_)) | (GivenBack::Unknown, _) => {
                self.due_at = Some(times.now.plus(pause(attempt)));
            }
        }
    }

    fn settle(&mut self, state: State, check_at: Option<Timestamp>) {
        self.state = state;
        self.due_at = None;
        // A check that somebody asked for already is not put off.
        self.check_at = match (self.check_at, check_at) {
            (Some(before), Some(after)) => Some(before.min(after)),
            (before, after) => before.or(after),
        };
    }

    /// The only charge that the bank may keep.
    pub(crate) fn kept(&self) -> Option<Uuid> {
        self.bank_id.filter(|_| self.state == State::Captured)
    }

    /// When the bank is asked the next time, after it was asked just now.
    pub(crate) fn next_check(&self, times: Times) -> Option<Timestamp> {
        // Only what was claimed twice can have been sent by one who had lost its claim.
        if self.attempt < 2 || self.checks + 1 >= CHECKS {
            return None;
        }
        let tens = 10_u32.pow(u32::try_from(self.checks + 1).unwrap_or(0));
        Some(times.now.plus(times.check_after.saturating_mul(tens)))
    }
}

/// How long to wait after an attempt that came to nothing.
pub(crate) fn pause(attempt: i64) -> Duration {
    FIRST_PAUSE * (1 << attempt.saturating_sub(1).clamp(0, 4))
}

#[cfg(test)]
mod tests;
