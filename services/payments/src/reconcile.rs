//! Holds settled charges against the bank's book, and gives back what it charged beside them.
//!
//! Two that check the same charge at once do no harm: which charge counts is in the row and never
//! changes, and the bank gives each back once.

use std::sync::Arc;
use std::time::Duration;

use app::with_causes;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bank::Silence;
use crate::charge::{Charge, State, pause};
use crate::desk::Desk;
use crate::error::Failure;
use crate::store::Checked;

/// Charges that are checked at once at most.
const AT_ONCE: i64 = 16;

/// Looks for charges to be checked, until `stopping` fires.
pub(crate) async fn run(desk: Arc<Desk>, stopping: CancellationToken) {
    loop {
        let checked = check_due(&desk).await;
        let checked = checked.unwrap_or_else(|error| {
            tracing::warn!(error = with_causes(&error), "cannot check with the bank");
            false
        });
        if stopping.is_cancelled() {
            return;
        }
        if !checked {
            let interval = Duration::from_millis(desk.settings.load().resolve_interval_ms);
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(interval) => {}
            }
        }
    }
}

/// Checks some of those that are due; false if none is.
async fn check_due(desk: &Arc<Desk>) -> Result<bool, Failure> {
    let lease = desk.lease();
    if !desk.store.has_checks(lease.now).await? {
        return Ok(false);
    }
    let due = desk
        .store
        .claim_checks(
            lease.now,
            lease.until,
            AT_ONCE,
            &desk.points.reconcile_commit,
        )
        .await?;
    // All at once: a bank that is slow must not let them pile up.
    let mut checks = JoinSet::new();
    for charge in due {
        let desk = Arc::clone(desk);
        checks.spawn(async move {
            let outcome = check(&desk, &charge).await;
            let times = desk.times();
            let next = match outcome {
                Ok(()) => charge.next_check(times),
                Err(_) => Some(times.now.plus(pause(charge.checks.max(4)))),
            };
            (charge.key, next)
        });
    }
    let mut checked = Vec::new();
    while let Some(outcome) = checks.join_next().await {
        // One that panicked is due again when its claim is over.
        if let Ok((key, next)) = outcome {
            checked.push(Checked {
                key,
                claimed: lease.until,
                next,
            });
        }
    }
    desk.store
        .checked(&checked, &desk.points.reconcile_commit)
        .await?;
    Ok(!checked.is_empty())
}

/// Gives back whatever the bank charged beside what counts.
async fn check(desk: &Desk, charge: &Charge) -> Result<(), Silence> {
    let found = desk.bank.look_up(charge.key).await?;
    let kept = charge.kept();
    for booked in found.iter().filter(|booked| !booked.refunded) {
        if Some(booked.id) == kept {
            continue;
        }
        if desk.bank.refund(booked.id).await? {
            desk.metrics.duplicates_refunded.inc();
            let (key, bank_id) = (charge.key, booked.id);
            tracing::warn!(%key, %bank_id, "a charge beside the one that counts was refunded");
        }
    }
    let has = |id| {
        found
            .iter()
            .any(|booked| booked.id == id && !booked.refunded)
    };
    match kept {
        Some(id) if charge.state == State::Captured && !has(id) => desk.is_missing(charge.key, id),
        _ => {}
    }
    Ok(())
}
