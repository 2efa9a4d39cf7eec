//! Sends all metrics by OTLP, again and again, from a thread of its own.
//!
//! A push that fails costs nothing but time: the next one says the same and more.

use std::io;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep_until, timeout_at};

use super::delta::Baseline;
use super::family::{Data, Snapshot};
use super::otlp::{self, Envelope, Times};
use crate::clock;
use crate::core::Alive;
use crate::export::exit::Exit;
use crate::settings::{MetricsSettings, Temporality};

/// The thread that pushes. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Push {
    asks: mpsc::Sender<Ask>,
}

/// A push out of turn.
#[derive(Debug)]
struct Ask {
    deadline: Option<Instant>,
    last: bool,
    done: oneshot::Sender<()>,
}

impl Push {
    /// Pushes to the receiver of `client` what `core` has measured since now; `resource` is field 1 of a
    /// `ResourceMetrics`.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(crate) fn spawn(
        core: &Arc<Alive>,
        mut exit: Exit,
        settings: &MetricsSettings,
        resource: Vec<u8>,
    ) -> io::Result<Push> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let (asks, asked) = mpsc::channel(8);
        if let Some(first) = exit.clients().first() {
            core.metrics.pushed_by(Arc::clone(first.journal()));
        }
        let pusher = Pusher {
            core: Arc::downgrade(core),
            exit,
            envelope: Envelope {
                resource,
                scope: core.scope(),
                schema_url: crate::core::SCHEMA_URL,
            },
            interval: settings.interval,
            timeout: settings.timeout,
            temporality: settings.temporality,
            sent: Baseline::default(),
            start: clock::wall_now(),
        };
        std::thread::Builder::new()
            .name("telemetry-metrics".to_owned())
            .spawn(move || runtime.block_on(pusher.run(asked)))?;
        Ok(Push { asks })
    }

    /// Pushes now, and returns once that is done or has failed.
    pub(crate) async fn flush(&self) {
        self.ask(None, false).await;
    }

    /// Pushes once more and ends, by the deadline at the latest.
    pub(crate) async fn shutdown(&self, deadline: Instant) {
        // Running into the deadline is an outcome, not an error.
        drop(timeout_at(deadline.into(), self.ask(Some(deadline), true)).await);
    }

    async fn ask(&self, deadline: Option<Instant>, last: bool) {
        let (done, answer) = oneshot::channel();
        let ask = Ask {
            deadline,
            last,
            done,
        };
        if self.asks.send(ask).await.is_ok() {
            // It is dropped unanswered when the thread has ended before.
            drop(answer.await);
        }
    }
}

struct Pusher {
    core: Weak<Alive>,
    exit: Exit,
    envelope: Envelope,
    interval: Duration,
    timeout: Duration,
    temporality: Temporality,
    sent: Baseline,
    /// Nanoseconds since the Unix epoch.
    start: u64,
}

impl Pusher {
    async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        let mut next = Instant::now() + self.interval;
        loop {
            let ask = tokio::select! {
                () = sleep_until(next.into()) => None,
                ask = asked.recv() => match ask {
                    Some(ask) => Some(ask),
                    None => return,
                },
            };
            let begun = Instant::now();
            let end = begun + self.timeout;
            let deadline = ask.as_ref().and_then(|ask| ask.deadline);
            let end = deadline.map_or(end, |deadline| deadline.min(end));
            // Who waits for a flush learns soon that it did not work out.
            let again = ask.as_ref().is_none_or(|ask| ask.last);
            self.push(end, again).await;
            match ask {
                Some(ask) => {
                    let _ = ask.done.send(());
                    if ask.last {
                        return;
                    }
                }
                None => next = begun + self.interval,
            }
        }
    }

    /// One push; what does not arrive by `end` is left for the next. What the receiver does not
    /// take now is tried again if `again`.
    async fn push(&mut self, end: Instant, again: bool) {
        let Some(core) = self.core.upgrade() else {
            return;
        };
        let mut snapshot = core.metrics.snapshot(&core.reports());
        drop(core);
        let times = Times {
            start: self.start,
            now: clock::wall_now(),
        };
        let temporality = self.temporality;
        keep_exemplars_since(&mut snapshot, self.sent.complete_at());
        let mut sending = self
            .sent
            .subtract_from(&mut snapshot, temporality, times.now);
        let since = |family: &_| temporality.since(family);
        for request in otlp::requests(&self.envelope, &snapshot, since, times) {
            if !self.send(&request, end, again).await {
                return;
            }
            self.sent.arrived(&mut sending, request.points);
        }
        self.sent.complete(&sending);
    }

    /// Whether the receiver is done with the request: it has it, or will never take it.
    async fn send(&mut self, request: &otlp::Request, end: Instant, again: bool) -> bool {
        for client in self.exit.clients() {
            let begun = client.begin(request.points as u64);
            let delivered = client.deliver(&request.bytes, end, again).await;
            client.end(begun, delivered.as_ref());
            if delivered.is_none() {
                return false;
            }
        }
        // Last: what does not arrive is in the next push again.
        self.exit.print(&request.bytes)
    }
}

/// An exemplar is told once.
fn keep_exemplars_since(snapshot: &mut Snapshot, nanos: u64) {
    let points = snapshot
        .families
        .iter_mut()
        .flat_map(|family| &mut family.points);
    for point in points {
        if let Data::Distribution(distribution) = &mut point.data {
            distribution
                .exemplars
                .retain(|(_, exemplar)| exemplar.at_nanos > nanos);
        }
    }
}
