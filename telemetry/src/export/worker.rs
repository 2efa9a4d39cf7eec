//! The thread that sends: a runtime of its own, so that it neither waits for the service's nor
//! slows it down.

use super::client::{Attempt, Client, Delivered};
use super::exit::Exit;
use super::journal::ErrorType;
use super::ledger::Outcome;
use super::spool::Spool;
use crate::clock;
use crate::counts::DropReason;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tokio::time::{sleep, sleep_until, timeout_at};

/// Starts the exporter of `spool`; it ends some time after `Spool::close`.
pub(crate) fn spawn(spool: Arc<Spool>, mut exit: Exit) -> io::Result<()> {
    if let Some(first) = exit.clients().first() {
        spool.keep_journal(Arc::clone(first.journal()));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    std::thread::Builder::new()
        .name("telemetry-export".to_owned())
        .spawn(move || {
            // What exporting has to say is not exported.
            let _quiet = opentelemetry::Context::enter_telemetry_suppressed_scope();
            runtime.block_on(run(&spool, &mut exit));
            // A name that is still being looked up is waited for by nobody.
            runtime.shutdown_background();
        })?;
    Ok(())
}

/// Whoever waits for a flush or the end must not wait for ever, even if this thread panics.
struct Ended<'a>(&'a Spool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.answer_flushes(u64::MAX);
    }
}

async fn run(spool: &Spool, exit: &mut Exit) {
    let _ended = Ended(spool);
    let mut next_seal = Instant::now() + spool.limits.schedule_delay;
    loop {
        let asked = spool.flushes_asked();
        let stopping = spool.stop_at().is_some();
        let now = Instant::now();
        if now >= next_seal || stopping || spool.flush_waits() {
            clock::adjust();
            spool.seal_all();
            next_seal = now + spool.limits.schedule_delay;
        }
        while let Some(request) = spool.take() {
            let outcome = tokio::select! {
                outcome = hand_out(spool, exit, request) => outcome,
                never = keep_sealing(spool) => match never {},
            };
            spool.settle(outcome);
        }
        spool.answer_flushes(asked);
        if stopping {
            return;
        }
        // What was asked for while a request was under way has used up its poke.
        if spool.flushes_asked() != asked || spool.stop_at().is_some() {
            continue;
        }
        tokio::select! {
            () = spool.wake.notified() => {}
            () = sleep_until(next_seal.into()) => {}
        }
    }
}

/// Threads come and go, and the wall clock is corrected, however long a collector takes.
async fn keep_sealing(spool: &Spool) -> Infallible {
    loop {
        sleep(spool.limits.schedule_delay).await;
        clock::adjust();
        spool.seal_all();
    }
}

/// Each way gets the request; what one of them lost is not delivered.
async fn hand_out(spool: &Spool, exit: &mut Exit, request: Vec<u8>) -> Outcome {
    let mut outcome = exit.printed(&request);
    let (last, others) = match exit.clients() {
        [] => return outcome,
        [others @ .., last] => (last, others),
    };
    for client in others {
        outcome = outcome.and(deliver(spool, client, request.clone()).await);
    }
    outcome.and(deliver(spool, last, request).await)
}

/// Tries until the collector decides, the time for retries is over or the service has to end.
async fn deliver(spool: &Spool, client: &mut Client, request: Vec<u8>) -> Outcome {
    let begun = Instant::now();
    let give_up_at = begun + spool.limits.retry_for;
    let request = client.pack(request);
    let mut last = None;
    let outcome = loop {
        let attempt = match pause(spool, client, give_up_at).await {
            Ok(()) => tokio::select! {
                attempt = client.attempt(request.clone(), give_up_at) => attempt,
                () = stopped(spool) => break dropped(DropReason::Shutdown, None),
            },
            Err(DropReason::RetriesExhausted) => {
                break dropped(DropReason::RetriesExhausted, client.last_error());
            }
            Err(reason) => break dropped(reason, None),
        };
        let Attempt {
            delivered,
            status,
            error,
        } = attempt;
        last = status;
        match delivered {
            Delivered::Taken { rejected } => break Outcome::Exported { rejected },
            Delivered::Refused => break dropped(DropReason::Rejected, error),
            // Who waits for a flush learns that it did not work out.
            Delivered::Retry { .. } => spool.answer_flushes(spool.flushes_asked()),
        }
    };
    let error = match &outcome {
        Outcome::Exported { rejected: 0 } => None,
        Outcome::Exported { .. } => Some(DropReason::Rejected.as_str().into()),
        Outcome::Dropped { error, .. } => Some(error.clone()),
    };
    client.journal().record(begun.elapsed(), last, error);
    outcome
}

fn dropped(reason: DropReason, error: Option<ErrorType>) -> Outcome {
    let error = error.unwrap_or_else(|| reason.as_str().into());
    Outcome::Dropped { reason, error }
}

/// Resolves when the time to end has come.
async fn stopped(spool: &Spool) {
    loop {
        let poke = spool.wake.notified();
        match spool.stop_at() {
            // A second shutdown may be in more of a hurry.
            Some(deadline) => {
                if timeout_at(deadline.into(), poke).await.is_err() {
                    return;
                }
            }
            None => poke.await,
        }
    }
}

/// Waits until the next attempt may be made; the error says why there will be none. Who flushes or
/// ends the service wants an attempt now, and gets it unless the collector has asked for peace.
async fn pause(spool: &Spool, client: &Client, give_up_at: Instant) -> Result<(), DropReason> {
    let Some(pause) = client.pause() else {
        return Ok(());
    };
    loop {
        let stop_at = spool.stop_at();
        let until = pause.until(stop_at.is_some());
        let now = Instant::now();
        if until <= now {
            return Ok(());
        }
        // To wait for either of them would change nothing.
        if stop_at.is_some_and(|deadline| until >= deadline) {
            return Err(DropReason::Shutdown);
        }
        if now >= give_up_at {
            return Err(DropReason::RetriesExhausted);
        }
        if spool.flush_waits() {
            if !pause.asked {
                return Ok(());
            }
            spool.answer_flushes(spool.flushes_asked());
        }
        let next = until.min(give_up_at);
        let _ = timeout_at(next.into(), spool.wake.notified()).await;
    }
}
