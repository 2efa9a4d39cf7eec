//! Brings charges and refunds to their end that nobody asks for any more: what a crash left
//! behind, and what the bank did not answer.

use std::sync::Arc;
use std::time::Duration;

use app::with_causes;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::charge::{Charge, State, Step};
use crate::desk::Desk;
use crate::error::Failure;

/// Rows that are worked on at once at most.
const AT_ONCE: usize = 8;

/// Looks for rows whose claim is over, until `stopping` fires; what was begun is then ended.
///
/// It has to look: the claims of a process that died end without a word.
pub(crate) async fn run(desk: Arc<Desk>, stopping: CancellationToken) {
    let mut working = JoinSet::new();
    while !stopping.is_cancelled() {
        if let Err(error) = begin_due(&desk, &mut working).await {
            tracing::warn!(error = with_causes(&error), "cannot look for what is due");
        }
        let interval = Duration::from_millis(desk.settings.load().resolve_interval_ms);
        tokio::select! {
            () = stopping.cancelled() => {}
            () = tokio::time::sleep(interval) => {}
        }
        while working.try_join_next().is_some() {}
    }
    while working.join_next().await.is_some() {}
}

async fn begin_due(desk: &Arc<Desk>, working: &mut JoinSet<()>) -> Result<(), Failure> {
    desk.metrics.unsettled.set(desk.store.unsettled().await?);
    let free = AT_ONCE.saturating_sub(working.len());
    if free == 0 {
        return Ok(());
    }
    let limit = i64::try_from(free).unwrap_or(i64::MAX);
    for due in desk.store.due(desk.times().now, limit).await? {
        let desk = Arc::clone(desk);
        working.spawn(async move {
            if let Err(error) = resolve(&desk, &due).await {
                let key = due.key;
                tracing::warn!(%key, error = with_causes(&error), "cannot be brought to its end");
            }
        });
    }
    Ok(())
}

async fn resolve(desk: &Desk, due: &Charge) -> Result<(), Failure> {
    let around = match due.state {
        State::Asked => &desk.points.charge_commit,
        _ => &desk.points.refund_commit,
    };
    let claim = |row: &mut Option<Charge>, lease: &_| match row {
        Some(charge) => charge.claim(lease),
        None => Step::Done,
    };
    let (_, Ok(claimed)) = desk.take(due.key, around, claim).await? else {
        return Ok(());
    };
    let charge = match claimed.charge.state {
        State::Asked => desk.send_charge(claimed).await?,
        _ => desk.send_refund(claimed).await?,
    };
    if charge.due_at.is_none() {
        let (key, state) = (charge.key, charge.state.name());
        tracing::info!(%key, state, attempt = charge.attempt, "brought to its end");
    }
    Ok(())
}
