//! Sends what was written, aside from those who write it: a mail server that hangs holds up mail,
//! and nothing else.
//!
//! A notification is sent at least once. It is claimed, sent, and then written down as sent;
//! whoever dies in between leaves a claim that ends, and another sends it again, with the same
//! message id.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use app::{Live, Timestamp, with_causes};
use telemetry::{Kind as SpanKind, Span, Telemetry};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Settings;
use crate::error::Failure;
use crate::metrics::{Metrics, Tried};
use crate::points::Points;
use crate::sender::{Sender, Session, Unsent};
use crate::store::{Claimed, Ended, Store};

/// How long nobody looks when nothing is due: what an instance leaves that died is found then.
const LOOK: Duration = Duration::from_secs(1);
/// How long a service that stops waits for an answer to what it has just sent.
const GRACE: Duration = Duration::from_millis(500);

/// All that it takes to send.
#[derive(Clone)]
pub(crate) struct Post {
    pub(crate) store: Store,
    pub(crate) sender: Arc<Sender>,
    pub(crate) points: Points,
    pub(crate) metrics: Metrics,
    pub(crate) settings: Live<Settings>,
    pub(crate) telemetry: Telemetry,
    pub(crate) stopping: CancellationToken,
}

/// What there was to do.
enum Round {
    /// Something was claimed, by this carrier or another.
    Worked,
    /// Nothing is due before that.
    Idle(Duration),
}

/// Why nothing can be sent just now.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the mail server cannot be used: {0}")]
    Away(Cow<'static, str>),
    #[error(transparent)]
    Store(#[from] Failure),
}

impl Post {
    /// Sends until the service stops.
    pub(crate) async fn run(self) {
        let mut carriers = JoinSet::new();
        for _ in 0..self.settings.load().senders {
            carriers.spawn(self.clone().carry());
        }
        while let Some(ended) = carriers.join_next().await {
            if let Err(error) = ended {
                // One that panicked has left its claim; the others go on, and so does it.
                tracing::error!(%error, "a carrier of notifications died");
                if !self.stopping.is_cancelled() {
                    carriers.spawn(self.clone().carry());
                }
            }
        }
    }

    /// One after another, each as soon as it is due.
    async fn carry(self) {
        let mut session = None;
        let mut troubles = 0;
        while !self.stopping.is_cancelled() {
            match self.round(&mut session).await {
                Ok(Round::Worked) => troubles = 0,
                Ok(Round::Idle(pause)) => {
                    // Nobody waits on a line that is not used.
                    self.hang_up(&mut session).await;
                    tokio::select! {
                        () = self.stopping.cancelled() => {}
                        () = self.store.written() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                }
                Err(trouble) => {
                    troubles += 1;
                    // Said once at each turn; the gauges say how much waits.
                    if troubles == 1 {
                        tracing::warn!(error = with_causes(&trouble), "notifications wait");
                    }
                    session = None;
                    tokio::select! {
                        () = self.stopping.cancelled() => {}
                        () = tokio::time::sleep(self.pause(troubles)) => {}
                    }
                }
            }
        }
        self.hang_up(&mut session).await;
    }

    async fn hang_up(&self, session: &mut Option<Session<'_>>) {
        if let Some(session) = session.take() {
            session.close(GRACE).await;
        }
    }

    async fn round<'a>(&'a self, session: &mut Option<Session<'a>>) -> Result<Round, Trouble> {
        let now = Timestamp::now();
        match self.store.next_due().await? {
            None => return Ok(Round::Idle(LOOK)),
            Some(due) if due > now => {
                let ahead = u64::try_from(due.micros() - now.micros()).unwrap_or_default();
                return Ok(Round::Idle(Duration::from_micros(ahead).min(LOOK)));
            }
            Some(_) => {}
        }
        // Before anything is claimed: a server that is away is no notification's fault.
        let patience = Duration::from_millis(self.settings.load().send_timeout_ms);
        let line = match session.take().filter(|session| !session.is_over()) {
            Some(line) => line,
            None => self.sender.open(patience).await.map_err(Trouble::Away)?,
        };
        let line = session.insert(line);
        let lease = Duration::from_millis(self.settings.load().lease_ms);
        let now = Timestamp::now();
        let claim = self.store.claim(now, now.plus(lease), &self.points);
        if let Some(claimed) = claim.await? {
            // There may be more than this one can carry.
            self.store.look();
            self.deliver(line, &claimed, patience).await?;
        }
        Ok(Round::Worked)
    }

    /// Sends one, within the trace that it was caused in, and writes down what came of it.
    async fn deliver(
        &self,
        line: &mut Session<'_>,
        claimed: &Claimed,
        patience: Duration,
    ) -> Result<(), Trouble> {
        let mut span = self.span(claimed);
        let work = async {
            let sending = self.points.mail.pass(line.send(claimed, patience));
            let cut = async {
                self.stopping.cancelled().await;
                tokio::time::sleep(GRACE).await;
            };
            let sent = tokio::select! {
                biased;
                sent = sending => sent,
                // Sent or not: it is sent again when its claim is over.
                () = cut => return Ok(Err("stopping".into())),
            };
            let now = Timestamp::now();
            let ended = self.end_of(claimed, sent, now);
            self.store.ended(claimed, &ended, now, &self.points).await?;
            self.tell_of(claimed, &ended);
            Ok(match ended {
                Ended::Sent => Ok(()),
                Ended::PutOff(_, reason) | Ended::GivenUp(reason) => Err(reason),
            })
        };
        let outcome: Result<Result<(), Cow<'static, str>>, Trouble> = match &span {
            Some(span) => span.in_scope(work).await,
            None => work.await,
        };
        if let Some(span) = &mut span {
            match &outcome {
                Ok(Ok(())) => {}
                Ok(Err(reason)) => span.set_error(reason),
                Err(_) => span.set_error("store"),
            }
        }
        outcome.map(drop)
    }

    fn end_of(&self, claimed: &Claimed, sent: Result<(), Unsent>, now: Timestamp) -> Ended {
        let reason = match sent {
            Ok(()) => return Ended::Sent,
            Err(Unsent::Never(reason)) => return Ended::GivenUp(reason),
            Err(Unsent::Later(reason)) => reason,
        };
        let notification = &claimed.notification;
        let patience = Duration::from_secs(self.settings.load().give_up_hours * 3_600);
        let next = now.plus(self.pause(notification.attempts));
        if next >= notification.created_at.plus(patience) {
            return Ended::GivenUp(reason);
        }
        Ended::PutOff(next, reason)
    }

    fn tell_of(&self, claimed: &Claimed, ended: &Ended) {
        let notification = &claimed.notification;
        let (id, attempts) = (notification.id, notification.attempts);
        let tried = match ended {
            Ended::Sent => Tried::Sent,
            Ended::PutOff(..) => Tried::PutOff,
            Ended::GivenUp(_) => Tried::GivenUp,
        };
        self.metrics.tried(tried);
        match ended {
            Ended::Sent => {}
            Ended::PutOff(_, reason) => {
                tracing::warn!(notification_id = %id, attempts, %reason, "notification put off");
            }
            Ended::GivenUp(reason) => {
                tracing::error!(notification_id = %id, attempts, %reason, "notification given up");
            }
        }
    }

    /// None outside of a trace: a sending alone is no story.
    fn span(&self, claimed: &Claimed) -> Option<Span> {
        if !claimed.trace.is_valid() {
            return None;
        }
        let notification = &claimed.notification;
        let waited = notification.created_at.elapsed().as_millis();
        let server = self.sender.server();
        let kind = match server {
            Some(_) => SpanKind::Client,
            None => SpanKind::Internal,
        };
        let mut span = self
            .telemetry
            .span("send notification")
            .kind(kind)
            .remote_parent(&claimed.trace)
            .start()
            .with_attribute("citywatch.notification.kind", notification.kind.name())
            .with_attribute("citywatch.notification.sender", self.sender.name())
            .with_attribute("citywatch.notification.attempt", notification.attempts)
            .with_attribute(
                "citywatch.notification.queue_ms",
                i64::try_from(waited).unwrap_or(i64::MAX),
            );
        if let Some((host, port)) = server {
            span.set_attribute("server.address", host);
            span.set_attribute("server.port", i64::from(port));
        }
        Some(span)
    }

    /// How long to wait after the nth attempt that came to nothing.
    fn pause(&self, nth: i64) -> Duration {
        let settings = self.settings.load();
        let first = Duration::from_millis(settings.retry_first_ms);
        let longest = Duration::from_millis(settings.retry_max_ms);
        app::pause(u32::try_from(nth).unwrap_or(u32::MAX), first, longest)
    }
}
