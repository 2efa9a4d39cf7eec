//! Faults of the whole process.

use std::time::Duration;

use nix::sys::signal::{SigEvent, SigevNotify, Signal, raise};
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;

/// A resumption that came before the stop is repeated so long after.
const AGAIN: Duration = Duration::from_millis(100);

/// Ends the process where it stands. Does not return.
pub(crate) async fn kill_self() {
    signal(Signal::SIGKILL);
    std::future::pending::<()>().await;
}

/// Stops the process, and returns when somebody has resumed it; the kernel does after `at_most`, so
/// that it stays stopped for nobody who has gone away.
pub(crate) fn stop_self(at_most: Duration) {
    match resumption(at_most) {
        Ok(_timer) => signal(Signal::SIGSTOP),
        Err(error) => tracing::error!(%error, "not stopped: nobody would resume the process"),
    }
}

/// Sends SIGCONT to this process, from `after` on and until it is dropped.
fn resumption(after: Duration) -> nix::Result<Timer> {
    let event = SigEvent::new(SigevNotify::SigevSignal {
        signal: Signal::SIGCONT,
        si_value: 0,
    });
    let mut timer = Timer::new(ClockId::CLOCK_MONOTONIC, event)?;
    timer.set(
        Expiration::IntervalDelayed(after.into(), AGAIN.into()),
        TimerSetTimeFlags::empty(),
    )?;
    Ok(timer)
}

/// Does to the whole process what the signal does, and to this thread before it goes on: a signal
/// to the process may be taken by another thread, and a while later.
fn signal(signal: Signal) {
    if let Err(error) = raise(signal) {
        tracing::error!(%error, %signal, "cannot signal this process");
    }
}
