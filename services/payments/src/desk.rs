//! Charges and refunds, from the request to the bank's answer.

use std::sync::Arc;
use std::time::Duration;

use app::{Live, Timestamp};
use calls::deadline;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::Settings;
use crate::bank::{Bank, Booked, Said, Silence};
use crate::charge::{Charge, GivenBack, Outcome, State, Step, Terms, Times};
use crate::claim::Lease;
use crate::error::Failure;
use crate::metrics::Metrics;
use crate::points::{Around, Points};
use crate::store::Store;

/// What every request and every background task needs.
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) bank: Bank,
    pub(crate) points: Points,
    pub(crate) metrics: Metrics,
    pub(crate) settings: Live<Settings>,
    pub(crate) instance_id: String,
    /// Counts the claims of this instance that are over; whoever waits for one looks again.
    pub(crate) ended: watch::Sender<u64>,
}

/// A claimed row and the claim.
pub(crate) struct Claimed {
    pub(crate) charge: Charge,
    pub(crate) lease: Lease,
}

impl Desk {
    pub(crate) fn lease(&self) -> Lease {
        let settle = Duration::from_millis(self.settings.load().settle_ms);
        Lease::new(&self.instance_id, settle)
    }

    pub(crate) fn times(&self) -> Times {
        let settings = self.settings.load();
        Times {
            now: Timestamp::now(),
            settle: Duration::from_millis(settings.settle_ms),
            check_after: Duration::from_millis(settings.reconcile_after_ms),
        }
    }

    /// Charges, or says what became of the charge; waits until `give_up` for one under way.
    pub(crate) async fn charge(
        self: Arc<Self>,
        key: Uuid,
        terms: Terms,
        give_up: Instant,
    ) -> Result<Charge, Failure> {
        let mut ended = self.ended.subscribe();
        loop {
            ended.mark_unchanged();
            let (charge, step) = self
                .take(key, &self.points.charge_commit, |row, lease| match row {
                    Some(charge) => charge.charge(&terms, lease),
                    None => {
                        *row = Some(Charge::asked(key, terms.clone(), lease));
                        Step::Claimed
                    }
                })
                .await?;
            let charge = match step {
                Ok(claimed) => self.send_charge(claimed).await?,
                Err(Step::Held) if self.waits(&charge, &mut ended, give_up).await => continue,
                Err(Step::Differs) => return Err(Failure::Differs),
                Err(_) => charge,
            };
            return match charge.state {
                State::Captured => Ok(charge),
                State::Declined => Err(Failure::Declined),
                State::Asked => Err(Failure::ChargePending),
                State::Voiding | State::Refunding | State::Refunded | State::Voided => {
                    Err(Failure::Voided)
                }
            };
        }
    }

    /// Voids or refunds, or says what became of that; waits until `give_up` for what is under way.
    pub(crate) async fn refund(
        self: Arc<Self>,
        key: Uuid,
        give_up: Instant,
    ) -> Result<Charge, Failure> {
        let mut ended = self.ended.subscribe();
        loop {
            ended.mark_unchanged();
            let (charge, step) = self
                .take(key, &self.points.refund_commit, |row, lease| match row {
                    Some(charge) => charge.refund(lease),
                    None => {
                        *row = Some(Charge::tombstone(key, lease));
                        Step::Done
                    }
                })
                .await?;
            let charge = match step {
                Ok(claimed) => self.send_refund(claimed).await?,
                Err(Step::Held) if self.waits(&charge, &mut ended, give_up).await => continue,
                Err(_) => charge,
            };
            return match charge.state {
                State::Refunded | State::Voided => Ok(charge),
                _ => Err(Failure::RefundPending),
            };
        }
    }

    /// The row as it is after `act`, and the claim if that made one.
    pub(crate) async fn take(
        &self,
        key: Uuid,
        around: &Around,
        act: impl FnOnce(&mut Option<Charge>, &Lease) -> Step,
    ) -> Result<(Charge, Result<Claimed, Step>), Failure> {
        let taken = self.store.change(key, around, |row| {
            // Made under the write lock: a wait for it is not taken from the claim.
            let lease = self.lease();
            let before = row.clone();
            let step = act(row, &lease);
            (before, row.clone(), step, lease)
        });
        let (before, charge, step, lease) = taken.await?;
        let charge = charge.ok_or(Failure::UnknownCharge)?;
        let previous = before.as_ref().map(|charge| charge.state);
        if previous != Some(charge.state) {
            self.metrics.ended(charge.state);
        }
        let step = match step {
            Step::Claimed => {
                if before.is_some_and(|before| before.owner != charge.owner) {
                    self.metrics.taken_over.inc();
                }
                let charge = charge.clone();
                Ok(Claimed { charge, lease })
            }
            other => Err(other),
        };
        Ok((charge, step))
    }

    /// Waits for an end of something under way here; false if that is of no use.
    async fn waits(
        &self,
        charge: &Charge,
        ended: &mut watch::Receiver<u64>,
        give_up: Instant,
    ) -> bool {
        // Nobody here hears of what another instance does.
        charge.owner == self.instance_id
            && matches!(timeout_at(give_up, ended.changed()).await, Ok(Ok(())))
    }

    /// Charges what was claimed, and writes down what became of it.
    pub(crate) async fn send_charge(&self, claimed: Claimed) -> Result<Charge, Failure> {
        // Whoever asked may have less time than the bank needs; this is done to its end.
        let outcome = deadline::unbounded(self.attempt(&claimed)).await;
        let (key, attempt) = (claimed.charge.key, claimed.charge.attempt);
        let times = self.times();
        self.write_down(key, &self.points.capture_commit, |charge| {
            charge.learn(attempt, outcome, times);
        })
        .await
    }

    async fn attempt(&self, claimed: &Claimed) -> Outcome {
        let Claimed { charge, lease } = claimed;
        if charge.attempt > 1 {
            match self.bank.look_up(charge.key).await {
                Err(_) => return Outcome::NotSent,
                Ok(found) => {
                    if let Some(captured) = captured(&found) {
                        return captured;
                    }
                }
            }
        }
        match self.bank.charge(charge, lease).await {
            Ok(Said::Captured(id)) => Outcome::Captured { id, more: false },
            Ok(Said::Declined) => Outcome::Declined,
            Err(Silence::NotSent) => Outcome::NotSent,
            // It may have charged and only failed to say so: then its book knows already.
            Err(Silence::Unknown) => {
                let found = self.bank.look_up(charge.key).await.unwrap_or_default();
                captured(&found).unwrap_or(Outcome::Unknown)
            }
        }
    }

    /// Gives back what was claimed, and writes down what became of it.
    pub(crate) async fn send_refund(&self, claimed: Claimed) -> Result<Charge, Failure> {
        let outcome = deadline::unbounded(self.give_back(&claimed.charge)).await;
        let (key, attempt) = (claimed.charge.key, claimed.charge.attempt);
        let times = self.times();
        self.write_down(key, &self.points.refunded_commit, |charge| {
            charge.give_back(attempt, outcome, times);
        })
        .await
    }

    async fn give_back(&self, charge: &Charge) -> GivenBack {
        let Ok(found) = self.bank.look_up(charge.key).await else {
            return GivenBack::Unknown;
        };
        let own = charge.bank_id.or(found.first().map(|booked| booked.id));
        for booked in found.iter().filter(|booked| !booked.refunded) {
            match self.bank.refund(booked.id).await {
                Ok(true) if Some(booked.id) != own => self.metrics.duplicates_refunded.inc(),
                Ok(_) => {}
                Err(_) => return GivenBack::Unknown,
            }
        }
        match own.filter(|own| found.iter().any(|booked| booked.id == *own)) {
            Some(id) => GivenBack::Refunded(id),
            None => {
                if let Some(id) = own {
                    self.is_missing(charge.key, id);
                }
                GivenBack::Nothing
            }
        }
    }

    /// The bank does not know what it said it had charged: a person must look.
    pub(crate) fn is_missing(&self, key: Uuid, bank_id: Uuid) {
        self.metrics.missing.inc();
        tracing::error!(%key, %bank_id, "the bank does not have a charge that it confirmed");
    }

    async fn write_down(
        &self,
        key: Uuid,
        around: &Around,
        change: impl FnOnce(&mut Charge),
    ) -> Result<Charge, Failure> {
        let written = self.store.change(key, around, |row| {
            let before = row.as_ref().map(|charge| charge.state);
            if let Some(charge) = row {
                change(charge);
            }
            (before, row.clone())
        });
        let written = written.await;
        // Whatever became of it, it is not under way any more.
        self.ended.send_modify(|count| *count += 1);
        let (before, charge) = written?;
        let charge = charge.ok_or(Failure::UnknownCharge)?;
        if before != Some(charge.state) {
            self.metrics.ended(charge.state);
        }
        Ok(charge)
    }
}

/// The charge that the bank has made and not given back.
fn captured(found: &[Booked]) -> Option<Outcome> {
    let mut kept = found.iter().filter(|booked| !booked.refunded);
    let id = kept.next()?.id;
    let more = kept.next().is_some();
    Some(Outcome::Captured { id, more })
}
