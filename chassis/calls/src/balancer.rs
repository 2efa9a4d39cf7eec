//! Which instance of a service to ask: two are drawn, the one with less in flight is taken
//! (M. Mitzenmacher, "The power of two choices in randomized load balancing", 2001).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use discovery::Endpoint;

use crate::random::split_mix;

/// For how long an endpoint is passed over after its first refused connection; each further
/// refusal in a row doubles it.
const FIRST_PASS_OVER: Duration = Duration::from_millis(100);
/// The longest time for which an endpoint is passed over.
const LONGEST_PASS_OVER: Duration = Duration::from_secs(5);

/// What is known of one endpoint, by all cores of the process.
#[derive(Debug)]
struct Load {
    endpoint: Endpoint,
    in_flight: AtomicU32,
    refusals: AtomicU32,
    /// Microseconds since the epoch of [`Loads`]; zero when the endpoint is trusted.
    passed_over_until: AtomicU64,
}

impl Load {
    fn is_passed_over(&self, now: u64) -> bool {
        self.passed_over_until.load(Relaxed) > now
    }
}

/// The in-flight counts of one service's endpoints, shared by the balancers of all cores.
///
/// A lock is taken only when a balancer sees a new list of endpoints.
#[derive(Debug)]
pub struct Loads {
    epoch: Instant,
    by_instance: Mutex<HashMap<(String, SocketAddr), Arc<Load>>>,
}

impl Loads {
    /// Nothing in flight. `now` is the moment from which times are counted.
    #[must_use]
    pub fn new(now: Instant) -> Arc<Self> {
        Arc::new(Self {
            epoch: now,
            by_instance: Mutex::default(),
        })
    }

    fn micros(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_micros()).unwrap_or(u64::MAX)
    }

    /// The loads of these endpoints; those of vanished ones are forgotten.
    fn of(&self, endpoints: &[Endpoint]) -> Vec<Arc<Load>> {
        let mut known = self
            .by_instance
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let listed: Vec<Arc<Load>> = endpoints
            .iter()
            .map(|endpoint| {
                let key = (endpoint.instance_id.clone(), endpoint.address);
                let load = known.entry(key).or_insert_with(|| {
                    Arc::new(Load {
                        endpoint: endpoint.clone(),
                        in_flight: AtomicU32::new(0),
                        refusals: AtomicU32::new(0),
                        passed_over_until: AtomicU64::new(0),
                    })
                });
                Arc::clone(load)
            })
            .collect();
        // One reference in the map and one here: whoever still holds more has calls in flight,
        // and its counts must not be split if the endpoint comes back meanwhile.
        known.retain(|_, load| Arc::strong_count(load) > 1);
        listed
    }
}

/// Chooses endpoints of one service for one core: no lock on the way, counts shared with the
/// other cores through [`Loads`].
#[derive(Debug)]
pub struct Balancer {
    loads: Arc<Loads>,
    seen: Arc<Vec<Endpoint>>,
    candidates: Vec<Arc<Load>>,
    random: u64,
}

impl Balancer {
    /// A balancer over the shared counts. Balancers of different cores take different seeds.
    #[must_use]
    pub fn new(loads: Arc<Loads>, seed: u64) -> Self {
        Self {
            loads,
            seen: Arc::default(),
            candidates: Vec::new(),
            random: seed,
        }
    }

    /// Picks one of `endpoints` and counts a call in flight there until the pick is dropped.
    ///
    /// Those in `tried` are not picked again. Endpoints that just refused a connection are
    /// passed over, unless there is no other. `None` when nothing is left.
    ///
    /// The same list, by identity, costs nothing; a new one rebuilds the candidates.
    pub fn pick(
        &mut self,
        endpoints: &Arc<Vec<Endpoint>>,
        tried: &[SocketAddr],
        now: Instant,
    ) -> Option<Picked> {
        if !Arc::ptr_eq(&self.seen, endpoints) {
            self.candidates = self.loads.of(endpoints);
            self.seen = Arc::clone(endpoints);
        }
        let now = self.loads.micros(now);
        let chosen = if tried.is_empty() {
            self.two_choices(now)
        } else {
            None
        };
        let load = match chosen {
            Some(index) => &self.candidates[index],
            None => self.by_scan(tried, now)?,
        };
        load.in_flight.fetch_add(1, Relaxed);
        Some(Picked {
            load: Arc::clone(load),
            loads: Arc::clone(&self.loads),
        })
    }

    /// The usual case: two different candidates are drawn, none of them passed over.
    fn two_choices(&mut self, now: u64) -> Option<usize> {
        let count = self.candidates.len();
        let first = match count {
            0 => return None,
            1 => 0,
            _ => self.draw(count),
        };
        let second = if count < 2 {
            first
        } else {
            (first + 1 + self.draw(count - 1)) % count
        };
        let (a, b) = (&self.candidates[first], &self.candidates[second]);
        match (a.is_passed_over(now), b.is_passed_over(now)) {
            (true, true) => None,
            (true, false) => Some(second),
            (false, true) => Some(first),
            (false, false) => {
                let less = b.in_flight.load(Relaxed) < a.in_flight.load(Relaxed);
                Some(if less { second } else { first })
            }
        }
    }

    /// The rare case: among all that were not tried, first those that are trusted with the
    /// least in flight; if there is none, the one whose pass-over ends first.
    fn by_scan(&self, tried: &[SocketAddr], now: u64) -> Option<&Arc<Load>> {
        self.candidates
            .iter()
            .filter(|load| !tried.contains(&load.endpoint.address))
            .min_by_key(|load| {
                let until = load.passed_over_until.load(Relaxed);
                let wait = if until > now { until } else { 0 };
                (wait, load.in_flight.load(Relaxed))
            })
    }

    /// A number below `bound`.
    fn draw(&mut self, bound: usize) -> usize {
        let drawn = u128::from(split_mix(&mut self.random));
        usize::try_from((drawn * bound as u128) >> 64).unwrap_or(0)
    }
}

/// A chosen endpoint. While this is held, a call counts as in flight there.
#[derive(Debug)]
pub struct Picked {
    load: Arc<Load>,
    loads: Arc<Loads>,
}

impl Picked {
    /// Who was chosen.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.load.endpoint
    }

    /// The endpoint refused the connection: it is passed over for a short time, which doubles
    /// with each refusal in a row.
    pub fn refused(&self, now: Instant) {
        let doublings = self.load.refusals.fetch_add(1, Relaxed).min(16);
        let pause = FIRST_PASS_OVER
            .saturating_mul(1 << doublings)
            .min(LONGEST_PASS_OVER);
        let until = self.loads.micros(now + pause);
        self.load.passed_over_until.store(until, Relaxed);
    }

    /// The endpoint accepted a connection: it is trusted again.
    pub fn accepted(&self) {
        if self.load.refusals.load(Relaxed) != 0 {
            self.load.refusals.store(0, Relaxed);
            self.load.passed_over_until.store(0, Relaxed);
        }
    }
}

impl Drop for Picked {
    fn drop(&mut self) {
        self.load.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(ports: &[u16]) -> Arc<Vec<Endpoint>> {
        let list = ports.iter().map(|port| Endpoint {
            instance_id: format!("i{port}"),
            address: SocketAddr::from(([127, 0, 0, 1], *port)),
            admin_address: None,
            version: "1".into(),
        });
        Arc::new(list.collect())
    }

    fn port(picked: &Picked) -> u16 {
        picked.endpoint().address.port()
    }

    #[test]
    fn load_spreads_by_what_is_in_flight() {
        let now = Instant::now();
        let list = endpoints(&[1, 2, 3]);
        let mut balancer = Balancer::new(Loads::new(now), 7);
        let held: Vec<_> = (0..300)
            .map(|_| balancer.pick(&list, &[], now).unwrap())
            .collect();
        for wanted in 1..=3 {
            let count = held.iter().filter(|p| port(p) == wanted).count();
            assert!((95..=105).contains(&count), "{wanted} got {count} of 300");
        }
    }

    #[test]
    fn counts_are_shared_between_cores_and_given_back() {
        let now = Instant::now();
        let list = endpoints(&[1, 2]);
        let loads = Loads::new(now);
        let mut one = Balancer::new(Arc::clone(&loads), 1);
        let mut other = Balancer::new(loads, 2);
        let first = one.pick(&list, &[], now).unwrap();
        let second = other.pick(&list, &[], now).unwrap();
        assert_ne!(port(&first), port(&second), "the other core sees the load");
        drop(first);
        drop(second);
        assert!(
            one.candidates
                .iter()
                .all(|l| l.in_flight.load(Relaxed) == 0)
        );
    }

    #[test]
    fn who_refuses_is_passed_over_longer_each_time_and_then_tried_again() {
        let start = Instant::now();
        let list = endpoints(&[1, 2]);
        let mut balancer = Balancer::new(Loads::new(start), 3);
        let bad = SocketAddr::from(([127, 0, 0, 1], 1));
        let is_picked = |balancer: &mut Balancer, now| {
            (0..200).any(|_| {
                balancer
                    .pick(&list, &[], now)
                    .is_some_and(|p| port(&p) == 1)
            })
        };
        let good = SocketAddr::from(([127, 0, 0, 1], 2));
        let refuse = |balancer: &mut Balancer, now| {
            let picked = balancer.pick(&list, &[good], now).unwrap();
            assert_eq!(picked.endpoint().address, bad);
            picked.refused(now);
        };
        let mut now = start;
        for pause in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            refuse(&mut balancer, now);
            let pause = Duration::from_millis(pause);
            let before_the_end = now + pause - Duration::from_millis(1);
            assert!(!is_picked(&mut balancer, before_the_end), "{pause:?}");
            now += pause;
            assert!(is_picked(&mut balancer, now), "{pause:?}");
        }
        let picked = balancer.pick(&list, &[good], now).unwrap();
        picked.accepted();
        drop(picked);
        refuse(&mut balancer, now);
        assert!(
            is_picked(&mut balancer, now + FIRST_PASS_OVER),
            "starts anew"
        );
    }

    #[test]
    fn when_all_refuse_the_soonest_is_asked_and_when_all_were_tried_nobody() {
        let now = Instant::now();
        let list = endpoints(&[1, 2]);
        let mut balancer = Balancer::new(Loads::new(now), 3);
        let addresses: Vec<_> = list.iter().map(|e| e.address).collect();
        let second = balancer.pick(&list, &addresses[..1], now).unwrap();
        second.refused(now);
        let first = balancer.pick(&list, &addresses[1..], now).unwrap();
        first.refused(now + Duration::from_millis(10));
        let again = balancer.pick(&list, &[], now + Duration::from_millis(20));
        assert_eq!(port(&again.unwrap()), 2);
        assert!(balancer.pick(&list, &addresses, now).is_none());
        assert!(balancer.pick(&endpoints(&[]), &[], now).is_none());
    }

    #[test]
    fn a_new_list_keeps_the_counts_and_forgets_who_left() {
        let now = Instant::now();
        let loads = Loads::new(now);
        let mut balancer = Balancer::new(Arc::clone(&loads), 5);
        let both = endpoints(&[1, 2]);
        let other = [both[1].address];
        let held = balancer.pick(&both, &other, now).unwrap();
        let grown = endpoints(&[1, 3]);
        for _ in 0..50 {
            let picked = balancer.pick(&grown, &[], now).unwrap();
            assert_eq!(port(&picked), 3, "the held call still counts against 1");
        }
        drop(held);
        let _ = balancer.pick(&endpoints(&[3]), &[], now);
        let _ = balancer.pick(&endpoints(&[3]), &[], now);
        assert_eq!(loads.by_instance.lock().unwrap().len(), 1);
    }
}
