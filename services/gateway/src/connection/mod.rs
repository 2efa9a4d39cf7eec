//! One connection of a client: its state, its limits of time, its end.

mod io;
mod serve;

pub(crate) use serve::{serve, turn_away};

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::HeaderValue;

use crate::framing::{Fault, Framing};
use crate::refusal::Refusal;
use crate::worker::Worker;

/// What a connection is busy with. HTTP/1.1 does one thing at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Between requests.
    Idle,
    /// Part of a head has come.
    Head,
    /// A request is being answered.
    Request,
    /// An answer is being sent.
    Response,
}

/// What the tasks around one connection know together.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) worker: Rc<Worker>,
    pub(crate) peer: SocketAddr,
    /// The peer's address, as `X-Forwarded-For` says it.
    pub(crate) forwarded_for: HeaderValue,
    framing: RefCell<Framing>,
    phase: Cell<Phase>,
    deadline: Cell<u64>,
    overdue: Cell<bool>,
    waits_for_client: Cell<bool>,
    requests: Cell<u64>,
    /// Bytes may still come that nobody will read: without a pause they would make the kernel
    /// reset the connection, and the client lose the answer.
    lingers: Cell<bool>,
    refused_unparsed: Cell<bool>,
    /// Of what hyper is to write next, a part is a service's body.
    carries_body: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Connection {
    pub(crate) fn new(worker: Rc<Worker>, peer: SocketAddr) -> Self {
        let address = peer.ip().to_canonical().to_string();
        let deadline = worker.clock.after(worker.local().config.times.header);
        Self {
            forwarded_for: HeaderValue::from_str(&address)
                .unwrap_or(HeaderValue::from_static("unknown")),
            worker,
            peer,
            framing: RefCell::default(),
            phase: Cell::new(Phase::Idle),
            deadline: Cell::new(deadline),
            overdue: Cell::new(false),
            waits_for_client: Cell::new(false),
            requests: Cell::new(0),
            lingers: Cell::new(false),
            refused_unparsed: Cell::new(false),
            carries_body: Cell::new(false),
            waker: RefCell::new(None),
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Gives the current phase so much time from now.
    pub(crate) fn give(&self, time: Duration) {
        self.deadline.set(self.worker.clock.after(time));
    }

    fn enter(&self, phase: Phase, time: Duration) {
        self.phase.set(phase);
        self.overdue.set(false);
        self.give(time);
    }

    /// A request begins. Says what is wrong with the framing of its head.
    pub(crate) fn begin_request(&self, time: Duration) -> Option<Fault> {
        let number = self.requests.get() + 1;
        self.requests.set(number);
        self.lingers.set(false);
        self.waits_for_client.set(false);
        self.enter(Phase::Request, time);
        self.framing.borrow().fault(number)
    }

    /// The head of the answer is there.
    pub(crate) fn begin_response(&self, time: Duration) {
        self.enter(Phase::Response, time);
    }

    /// The answer has ended or was given up.
    pub(crate) fn end_response(&self) {
        let times = self.worker.local().config.times;
        if self.framing.borrow().is_mid_head() {
            self.enter(Phase::Head, times.header);
        } else {
            self.enter(Phase::Idle, times.idle);
        }
    }

    /// The body of the request is being waited for, or not.
    pub(crate) fn wait_for_client(&self, waits: bool) {
        self.waits_for_client.set(waits);
    }

    /// Whose fault it is that a request took too long.
    pub(crate) fn timeout(&self) -> Refusal {
        if self.waits_for_client.get() {
            Refusal::BodyTimeout
        } else {
            Refusal::UpstreamTimeout
        }
    }

    /// The time of the current phase is over.
    pub(crate) fn is_overdue(&self) -> bool {
        self.overdue.get()
    }

    pub(crate) fn linger(&self) {
        self.lingers.set(true);
    }

    /// Runs a part of a request, unless its time is over first.
    pub(crate) async fn in_time<F: Future>(&self, future: F) -> Result<F::Output, Refusal> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if self.overdue.get() {
                return Poll::Ready(Err(self.timeout()));
            }
            future.as_mut().poll(context).map(Ok)
        })
        .await
    }

    /// Runs a part of a request that ends on time, not up to two ticks later: what of it runs
    /// [`in_time`](Self::in_time) is told.
    pub(crate) async fn on_the_dot<F: Future>(&self, time: Duration, work: F) -> F::Output {
        let mut alarm = pin!(tokio::time::sleep(time));
        let mut work = pin!(work);
        let mut has_rung = false;
        poll_fn(|context| {
            if !has_rung && alarm.as_mut().poll(context).is_ready() {
                has_rung = true;
                self.overdue.set(true);
            }
            work.as_mut().poll(context)
        })
        .await
    }

    /// Called at each tick: wakes the connection if its time is over.
    pub(crate) fn sweep(&self, now: u64) {
        if !self.overdue.get() && self.deadline.get() <= now {
            self.overdue.set(true);
            self.wake();
        }
    }

    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    fn remember(&self, context: &Context<'_>) {
        let mut known = self.waker.borrow_mut();
        match &mut *known {
            Some(waker) => waker.clone_from(context.waker()),
            None => *known = Some(context.waker().clone()),
        }
    }

    /// Bytes have come from the client.
    fn received(&self, bytes: &[u8]) {
        let mut framing = self.framing.borrow_mut();
        framing.feed(bytes);
        if self.phase.get() == Phase::Idle && framing.is_mid_head() {
            let header = self.worker.local().config.times.header;
            self.enter(Phase::Head, header);
        }
    }

    /// A piece of a service's body is on its way through hyper to the client.
    pub(crate) fn carry_body(&self) {
        self.carries_body.set(true);
    }

    /// Bytes have gone to the client; `all` if nothing of what hyper had is left.
    fn sent(&self, all: bool) {
        if all {
            self.carries_body.set(false);
        }
        if self.phase.get() == Phase::Response {
            self.give(self.worker.local().config.times.body_idle);
        }
    }

    /// Whether what hyper is about to write may be an answer of its own: there is a head that
    /// never became a request, and no body of a service among it, which may look like anything.
    fn may_answer_unparsed(&self) -> bool {
        if self.carries_body.get() {
            return false;
        }
        let framing = self.framing.borrow();
        framing.is_mid_head() || framing.heads() != self.requests.get()
    }

    /// What was wrong with a head that hyper gave up with this status.
    fn unparsed(&self, status: u16) -> Refusal {
        let framing = self.framing.borrow();
        let too_long = framing.first_line() > self.worker.local().config.max_uri_bytes;
        match (framing.fault(framing.heads()), status) {
            (Some(fault), 400) => fault.into(),
            (_, 414 | 431) if too_long => Refusal::TargetTooLong,
            (_, 431) => Refusal::HeadTooLarge,
            _ if framing.is_other_version() => Refusal::Version,
            _ => Refusal::MalformedRequest,
        }
    }
}
