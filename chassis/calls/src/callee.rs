use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use discovery::Endpoints;

use crate::balancer::{Balancer, Loads, Picked};
use crate::breaker::{Breaker, BreakerState, Pass, Rules, Verdict};
use crate::budget::RetryBudget;
use crate::error::CallErrorKind;
use crate::metrics::Metrics;
use crate::random::split_mix;
use crate::retries;

/// What is known of one callee, by all calls to it.
pub(crate) struct Callee {
    pub(crate) name: &'static str,
    /// `None`: it is outside the city, where its URL says.
    endpoints: Option<Endpoints>,
    pub(crate) metrics: Metrics,
    state: Mutex<State>,
}

struct State {
    balancer: Balancer,
    /// By instance id; of a callee outside, by the empty one.
    breakers: HashMap<String, Breaker>,
    budget: RetryBudget,
    random: u64,
}

impl Callee {
    pub(crate) fn new(
        name: &'static str,
        endpoints: Option<Endpoints>,
        metrics: Metrics,
        seed: u64,
        now: Instant,
    ) -> Arc<Self> {
        let state = State {
            balancer: Balancer::new(Loads::new(now), seed),
            breakers: HashMap::new(),
            budget: RetryBudget::new(now),
            random: seed,
        };
        Arc::new(Self {
            name,
            endpoints,
            metrics,
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one attempt: at an instance that was not tried, or else at one that was.
    pub(crate) fn seat(
        self: &Arc<Self>,
        tried: &[SocketAddr],
        now: Instant,
    ) -> Result<Seat, CallErrorKind> {
        let mut state = self.state();
        let Some(endpoints) = &self.endpoints else {
            let pass = state.admit("", now).ok_or(CallErrorKind::CircuitOpen)?;
            return Ok(self.taken(None, pass));
        };
        let endpoints = endpoints.load();
        if state.breakers.len() > endpoints.len() {
            let listed = |id: &String| endpoints.iter().any(|known| known.instance_id == *id);
            state.breakers.retain(|id, _| listed(id));
        }
        if endpoints.is_empty() {
            return Err(CallErrorKind::NoInstance);
        }
        let mut shut = Vec::new();
        for passed_over in [tried, &[]] {
            let mut passed_over = [passed_over, &shut].concat();
            while let Some(picked) = state.balancer.pick(&endpoints, &passed_over, now) {
                if let Some(pass) = state.admit(&picked.endpoint().instance_id, now) {
                    return Ok(self.taken(Some(picked), pass));
                }
                passed_over.push(picked.endpoint().address);
                shut.push(picked.endpoint().address);
            }
        }
        Err(CallErrorKind::CircuitOpen)
    }

    fn taken(self: &Arc<Self>, picked: Option<Picked>, pass: Pass) -> Seat {
        Seat {
            callee: Arc::clone(self),
            picked,
            pass: Some(pass),
        }
    }

    /// Whether another instance is known than those that were tried.
    pub(crate) fn has_another(&self, tried: &[SocketAddr]) -> bool {
        self.endpoints.as_ref().is_some_and(|endpoints| {
            let endpoints = endpoints.load();
            endpoints
                .iter()
                .any(|known| !tried.contains(&known.address))
        })
    }

    /// A call was sent for the first time.
    pub(crate) fn earn(&self, percent: u32, now: Instant) {
        self.state().budget.earn(percent, now);
    }

    /// Whether the budget has a retry left.
    pub(crate) fn spend(&self, now: Instant) -> bool {
        self.state().budget.spend(now)
    }

    /// How long to wait before the retry that is the `number`th after the first attempt.
    pub(crate) fn backoff(&self, number: u32) -> Duration {
        let drawn = split_mix(&mut self.state().random);
        retries::backoff(number, drawn)
    }

    /// Endpoints by the state of their breakers, and the tokens of the budget.
    pub(crate) fn gauges(&self) -> ([(BreakerState, i64); 3], f64) {
        let state = self.state();
        let counted = [
            BreakerState::Closed,
            BreakerState::Open,
            BreakerState::HalfOpen,
        ]
        .map(|wanted| {
            let breakers = state.breakers.values();
            let count = breakers.filter(|breaker| breaker.state() == wanted).count();
            (wanted, i64::try_from(count).unwrap_or(i64::MAX))
        });
        (counted, state.budget.tokens())
    }
}

impl State {
    fn admit(&mut self, instance_id: &str, now: Instant) -> Option<Pass> {
        if let Some(breaker) = self.breakers.get_mut(instance_id) {
            return breaker.admit(now);
        }
        let mut breaker = Breaker::new(now, split_mix(&mut self.random));
        let pass = breaker.admit(now);
        self.breakers.insert(instance_id.to_owned(), breaker);
        pass
    }
}

/// An attempt's place at an endpoint, from its start to its end.
pub(crate) struct Seat {
    callee: Arc<Callee>,
    picked: Option<Picked>,
    /// Taken when it is handed back.
    pass: Option<Pass>,
}

impl Seat {
    /// Where the attempt goes; `None` where the URL says.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.picked.as_ref().map(|picked| picked.endpoint().address)
    }

    /// Nobody listened there.
    pub(crate) fn refused(&self, now: Instant) {
        if let Some(picked) = &self.picked {
            picked.refused(now);
        }
    }

    /// It took a connection.
    pub(crate) fn accepted(&self) {
        if let Some(picked) = &self.picked {
            picked.accepted();
        }
    }

    /// Tells the breaker what came of it.
    pub(crate) fn end(mut self, verdict: Verdict, rules: &Rules, now: Instant) {
        self.hand_back(verdict, rules, now);
    }

    fn hand_back(&mut self, verdict: Verdict, rules: &Rules, now: Instant) {
        let Some(pass) = self.pass.take() else { return };
        let callee = self.callee.name;
        let instance_id = self
            .picked
            .as_ref()
            .map_or("", |picked| &picked.endpoint().instance_id);
        let mut state = self.callee.state();
        // An instance that is no longer listed has none.
        let Some(breaker) = state.breakers.get_mut(instance_id) else {
            return;
        };
        let before = breaker.state();
        let trip = breaker.record(pass, verdict, rules, now);
        let closed = before == BreakerState::HalfOpen && breaker.state() == BreakerState::Closed;
        drop(state);
        if let Some(trip) = trip {
            self.callee.metrics.tripped(callee, trip);
            let reason = trip.reason();
            tracing::warn!(callee, instance_id, reason, "circuit breaker opened");
        }
        if closed {
            tracing::info!(callee, instance_id, "circuit breaker closed");
        }
    }
}

impl Drop for Seat {
    /// Given up: a probe's place is free again.
    fn drop(&mut self) {
        self.hand_back(Verdict::Unknown, &Rules::default(), crate::deadline::now());
    }
}
