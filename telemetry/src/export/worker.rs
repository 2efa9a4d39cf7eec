//! The thread that sends: a runtime of its own, so that it neither waits for the service's nor
//! slows it down.

use super::client::{Client, Delivered};
use super::ledger::Outcome;
use super::retry::Backoff;
use super::spool::Spool;
use crate::clock;
use crate::counts::DropReason;
use crate::settings::Otlp;
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tokio::time::{sleep_until, timeout_at};

/// Starts the exporter of `spool`; it ends some time after `Spool::close`.
pub(crate) fn spawn(spool: Arc<Spool>, otlp: Otlp) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    std::thread::Builder::new()
        .name("telemetry-export".to_owned())
        .spawn(move || runtime.block_on(run(&spool, otlp)))?;
    Ok(())
}

/// Whoever waits for a flush or the end must not wait for ever, even if this thread panics.
struct Ended<'a>(&'a Spool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.flushes_done.send_replace(u64::MAX);
    }
}

async fn run(spool: &Spool, otlp: Otlp) {
    let _ended = Ended(spool);
    let mut client = Client::new(otlp, spool.signal);
    let mut next_seal = Instant::now() + spool.limits.schedule_delay;
    loop {
        let asked = spool.flushes_asked();
        let stopping = spool.stop_at().is_some();
        let now = Instant::now();
        if now >= next_seal || stopping || asked > *spool.flushes_done.borrow() {
            clock::adjust();
            spool.seal_all();
            next_seal = now + spool.limits.schedule_delay;
        }
        while let Some(request) = spool.take() {
            let outcome = send(spool, &mut client, &request).await;
            spool.settle(outcome);
        }
        answer_flushes(spool, asked);
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

fn answer_flushes(spool: &Spool, asked: u64) {
    spool.flushes_done.send_if_modified(|done| {
        let newer = asked > *done;
        *done = asked.max(*done);
        newer
    });
}

/// Tries until the collector decides, the time for retries is over or the service has to end.
async fn send(spool: &Spool, client: &mut Client, request: &[u8]) -> Outcome {
    let give_up_at = Instant::now() + spool.limits.retry_for;
    let mut backoff = Backoff::new();
    loop {
        let delivered = tokio::select! {
            delivered = client.send(request) => delivered,
            () = stopped(spool) => return Outcome::Dropped(DropReason::Shutdown),
        };
        let wait = match delivered {
            Delivered::Taken { rejected } => return Outcome::Exported { rejected },
            Delivered::Refused => return Outcome::Dropped(DropReason::Rejected),
            Delivered::Retry { after } => backoff.next(after),
        };
        // Who waits for a flush learns that it did not work out.
        answer_flushes(spool, spool.flushes_asked());
        let again = Instant::now() + wait;
        if again >= give_up_at {
            return Outcome::Dropped(DropReason::RetriesExhausted);
        }
        if !pause(spool, again).await {
            return Outcome::Dropped(DropReason::Shutdown);
        }
    }
}

/// Resolves when the time to end has come.
async fn stopped(spool: &Spool) {
    loop {
        match spool.stop_at() {
            Some(deadline) => return sleep_until(deadline.into()).await,
            None => spool.wake.notified().await,
        }
    }
}

/// Waits for the next attempt; false if the deadline of the shutdown comes first. A shutdown that
/// begins during the pause ends it: what can still be delivered is worth one attempt at once.
async fn pause(spool: &Spool, until: Instant) -> bool {
    loop {
        if let Some(deadline) = spool.stop_at() {
            sleep_until(until.min(deadline).into()).await;
            return until < deadline;
        }
        if timeout_at(until.into(), spool.wake.notified())
            .await
            .is_err()
        {
            return true;
        }
        if spool
            .stop_at()
            .is_some_and(|deadline| Instant::now() < deadline)
        {
            return true;
        }
    }
}
