//! One saga, driven step by step.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use app::{Timestamp, with_causes};
use faults::Around;
use prometheus::IntGauge;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{Held, Inner};
use crate::clients::Unsettled;
use crate::domain::{Action, Event, Order, Reason, Recorded, Reply, Step, next};
use crate::metrics::Tried;
use crate::points::StepPoints;
use crate::store::StoreFailure;

/// Why a driver let go of its saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// It has ended.
    Ended,
    /// A peer does not settle a step: it is tried again later.
    Parked,
    /// The service stops.
    Stopping,
    /// Another drives it now.
    Lost,
    /// The store fails: whoever finds the lease lapsed goes on.
    Failed,
}

impl Left {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Parked => "parked",
            Self::Stopping => "stopping",
            Self::Lost => "lost",
            Self::Failed => "failed",
        }
    }
}

pub(super) struct Drive {
    sagas: Arc<Inner>,
    order: Arc<Order>,
    log: Vec<Recorded>,
    /// Tries of the present step that did not settle it.
    attempts: u32,
    held: Held,
    waiter: Option<oneshot::Sender<()>>,
    _counted: Counted,
}

impl Drive {
    pub(super) fn new(sagas: Arc<Inner>, order: Order, log: Vec<Recorded>, held: Held) -> Self {
        let counted = Counted::new(&sagas.needs.metrics.driven);
        Self {
            sagas,
            order: Arc::new(order),
            log,
            attempts: 0,
            held,
            waiter: None,
            _counted: counted,
        }
    }

    /// Somebody waits for the end, until the receiver is dropped.
    pub(super) fn waited_for(mut self, waiter: oneshot::Sender<()>) -> Self {
        self.waiter = Some(waiter);
        self
    }

    pub(super) fn after(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    pub(super) async fn run(mut self) -> Left {
        loop {
            if let Err(left) = self.step().await {
                tracing::debug!(order = %self.order.id, left = left.label(), "saga let go of");
                return left;
            }
        }
    }

    async fn step(&mut self) -> Result<(), Left> {
        let step = next(self.log.iter().map(|recorded| &recorded.event));
        if step == Step::End {
            return Err(Left::Ended);
        }
        if Instant::now() >= self.held.until {
            self.renew().await?;
        }
        if self.sagas.needs.stopping.is_cancelled() && !self.is_waited_for() {
            return Err(self.let_go().await);
        }
        match step {
            Step::Take(action) => self.take(action).await,
            Step::Cancel(reason) => {
                let points = Arc::clone(&self.sagas.needs.points);
                let cancelled = vec![Event::Cancelled { reason }];
                self.append(cancelled, &points.release.commit).await
            }
            Step::End => Err(Left::Ended),
        }
    }

    async fn take(&mut self, action: Action) -> Result<(), Left> {
        let (sagas, order) = (Arc::clone(&self.sagas), Arc::clone(&self.order));
        let needs = &sagas.needs;
        match self.keeping(ask(&sagas, &order, action)).await? {
            Ok(reply) => {
                let tried = match reply.is_done() {
                    true => Tried::Done,
                    false => Tried::Refused,
                };
                needs.metrics.tried(action, tried);
                self.append(reply.events(), &points(&sagas, action).commit)
                    .await
            }
            Err(unsettled) => {
                needs.metrics.tried(action, Tried::Unsettled);
                self.attempts = self.attempts.saturating_add(1);
                self.tell(action, &unsettled);
                let patience = Duration::from_millis(needs.settings.load().give_up_ms);
                let late = Timestamp::now() >= order.created_at.plus(patience);
                if late && action.may_be_given_up() {
                    let reason = Reason::GaveUp;
                    return self
                        .append(vec![Event::Compensating { reason }], &needs.points.give_up)
                        .await;
                }
                self.pause(unsettled.retry_after).await
            }
        }
    }

    fn tell(&self, action: Action, unsettled: &Unsettled) {
        let (order, step, attempts) = (self.order.id, action.label(), self.attempts);
        if unsettled.is_unexpected() {
            tracing::error!(%order, step, attempts, error = %unsettled, "step is refused unexpectedly");
        } else {
            tracing::info!(%order, step, attempts, error = %unsettled, "step is not settled");
        }
    }

    /// Writes what is known now. What the log then holds decides how it goes on.
    async fn append(&mut self, mut events: Vec<Event>, at: &Around) -> Result<(), Left> {
        let known = self.log.iter().map(|recorded| &recorded.event);
        if let Step::Cancel(reason) = next(known.chain(&events)) {
            events.push(Event::Cancelled { reason });
        }
        let sagas = Arc::clone(&self.sagas);
        let held = sagas.lease(self.held.lease.owner.clone());
        let store = &sagas.needs.store;
        let appended = store
            .append(self.order.id, &self.log, events, &held.lease, at)
            .await;
        match appended {
            Ok(appended) => {
                self.log.extend(appended.events);
                self.attempts = 0;
                self.held = held;
                if !appended.held {
                    return Err(self.lost());
                }
                self.if_ended().await;
                Ok(())
            }
            Err(StoreFailure::Fenced) => self.read_again().await,
            // It may have been written all the same.
            Err(error) => {
                tracing::warn!(order = %self.order.id, error = with_causes(&error), "event not written");
                let first = sagas.needs.settings.load().retry_first_ms;
                self.keeping(sleep(Duration::from_millis(first))).await?;
                self.read_again().await
            }
        }
    }

    /// What only whoever wrote the last event does.
    async fn if_ended(&self) {
        let Some(last) = self.log.last().filter(|last| last.event.is_last()) else {
            return;
        };
        let needs = &self.sagas.needs;
        let order = &self.order;
        needs.metrics.ended(&last.event, order.created_at);
        if last.event != Event::Confirmed {
            return;
        }
        let empty = needs
            .clients
            .cart
            .empty(&order.member_id, order.cart_version);
        if let Err(error) = needs.points.empty_cart.pass(empty).await {
            tracing::info!(order = %order.id, %error, "the ordered cart stays as it is");
        }
    }

    /// Goes on from the log as it is, if the saga is still held.
    async fn read_again(&mut self) -> Result<(), Left> {
        match self.sagas.needs.store.log(self.order.id).await {
            Ok(log) => self.log = log,
            Err(error) => return Err(self.failed(&error)),
        }
        if self.log.iter().any(|recorded| recorded.event.is_last()) {
            return Err(Left::Ended);
        }
        self.renew().await
    }

    async fn renew(&mut self) -> Result<(), Left> {
        let sagas = Arc::clone(&self.sagas);
        let held = sagas.lease(self.held.lease.owner.clone());
        let needs = &sagas.needs;
        let renewed = needs
            .store
            .renew(self.order.id, &held.lease, &needs.points.renew)
            .await;
        match renewed {
            Ok(true) => {
                self.held = held;
                Ok(())
            }
            Ok(false) => Err(self.lost()),
            Err(error) if Instant::now() >= self.held.until => Err(self.failed(&error)),
            Err(error) => {
                tracing::warn!(order = %self.order.id, error = with_causes(&error), "lease not renewed");
                self.held.renew_at = Instant::now() + sagas.lease_length() / 8;
                Ok(())
            }
        }
    }

    /// Waits before the step is tried again: here while somebody waits for the end, else set
    /// aside.
    async fn pause(&mut self, wanted: Option<Duration>) -> Result<(), Left> {
        let settings = self.sagas.needs.settings.load();
        let first = Duration::from_millis(settings.retry_first_ms);
        let longest = Duration::from_millis(settings.retry_max_ms);
        let pause = app::pause(self.attempts, first, longest);
        let pause = pause.max(wanted.unwrap_or_default().min(longest));
        if self.is_waited_for() {
            return self.keeping(sleep(pause)).await;
        }
        match self.set_aside(Timestamp::now().plus(pause)).await {
            Ok(()) => Err(Left::Parked),
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn let_go(&self) -> Left {
        match self.set_aside(Timestamp::now()).await {
            Ok(()) => Left::Stopping,
            Err(error) => self.failed(&error),
        }
    }

    async fn set_aside(&self, due: Timestamp) -> Result<(), StoreFailure> {
        let needs = &self.sagas.needs;
        let (order, at) = (self.order.id, &needs.points.park);
        needs
            .store
            .park(order, &self.held.lease.owner, due, self.attempts, at)
            .await?;
        self.sagas.look.notify_one();
        Ok(())
    }

    /// Does `work` and keeps the lease meanwhile. It is abandoned if the lease is lost, or if the
    /// service stops and nobody waits: to be asked twice harms no peer.
    async fn keeping<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Left> {
        tokio::pin!(work);
        loop {
            let (renew_at, stopping) = (self.held.renew_at, self.sagas.needs.stopping.clone());
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = sleep_until(renew_at) => self.renew().await?,
                () = nobody_waits(&stopping, self.waiter.as_mut()) => {
                    return Err(self.let_go().await);
                }
            }
        }
    }

    fn is_waited_for(&self) -> bool {
        self.waiter
            .as_ref()
            .is_some_and(|waiter| !waiter.is_closed())
    }

    fn lost(&self) -> Left {
        tracing::info!(order = %self.order.id, "another instance drives the saga");
        self.sagas.needs.metrics.leases_lost.inc();
        Left::Lost
    }

    fn failed(&self, error: &StoreFailure) -> Left {
        tracing::error!(order = %self.order.id, error = with_causes(error), "saga left to its lease");
        Left::Failed
    }
}

/// Asks the peer.
async fn ask(sagas: &Inner, order: &Order, action: Action) -> Result<Reply, Unsettled> {
    let clients = &sagas.needs.clients;
    let send = &points(sagas, action).send;
    match action {
        Action::Reserve => send.pass(clients.inventory.reserve(order)).await,
        Action::Charge => send.pass(clients.payments.charge(order)).await,
        Action::Confirm => send.pass(clients.inventory.confirm(order)).await,
        Action::Refund => send.pass(clients.payments.refund(order)).await,
        Action::Release => send.pass(clients.inventory.release(order)).await,
    }
}

fn points(sagas: &Inner, action: Action) -> &StepPoints {
    let points = &sagas.needs.points;
    match action {
        Action::Reserve => &points.reserve,
        Action::Charge => &points.charge,
        Action::Confirm => &points.confirm,
        Action::Refund => &points.refund,
        Action::Release => &points.release,
    }
}

/// Ends when the service stops and nobody waits for the saga any more.
async fn nobody_waits(stopping: &CancellationToken, waiter: Option<&mut oneshot::Sender<()>>) {
    stopping.cancelled().await;
    if let Some(waiter) = waiter {
        waiter.closed().await;
    }
}

/// One more on a gauge, for as long as it lives.
struct Counted(IntGauge);

impl Counted {
    fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
