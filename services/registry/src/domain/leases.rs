//! Who is there: every instance holds a lease and renews it, or lapses.
//!
//! The registry may forget (it was restarted) or sleep (its process was stopped and went on). In
//! both cases silence proves nothing about the instances. It then calls itself *warming* for one
//! lease time: what it lists is true, what it does not list may be there all the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Instance, Name};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long a lease holds without being renewed.
    pub(crate) ttl: Duration,
    /// How long a lapsed instance is remembered, so that its absence can be seen.
    pub(crate) lapsed_retention: Duration,
    pub(crate) services: usize,
    pub(crate) instances_per_service: usize,
}

impl Limits {
    /// [`Leases::advance`] is called at least this often by a registry that runs at all.
    pub(crate) fn longest_pause(&self) -> Duration {
        self.ttl / 4
    }
}

/// Whether silence about an instance means that it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    Warming,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstanceState {
    Up,
    /// Silent for longer than its lease, and never deregistered.
    Lapsed,
}

/// An instance, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) instance: Arc<Instance>,
    pub(crate) state: InstanceState,
}

/// A service, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Grows with every change of the rest.
    pub(crate) revision: u64,
    pub(crate) readiness: Readiness,
    pub(crate) instances: Vec<Listed>,
}

/// How many instances of a service there are in each state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) service: Name,
    pub(crate) up: usize,
    pub(crate) lapsed: usize,
}

/// There is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("there are too many services")]
    Services,
    #[error("the service has too many instances")]
    Instances,
}

#[derive(Debug)]
pub(crate) struct Leases {
    limits: Limits,
    services: BTreeMap<Name, Service>,
    /// Of the latest change of anything.
    revision: u64,
    /// Of the latest change that concerns every service, known or not.
    revision_for_all: u64,
    warming_until: Option<Instant>,
    advanced_at: Instant,
}

/// Kept when its last instance goes: that a known service has nobody is worth a metric.
#[derive(Debug, Default)]
struct Service {
    revision: u64,
    instances: BTreeMap<Name, Held>,
}

#[derive(Debug)]
struct Held {
    instance: Arc<Instance>,
    lease: Lease,
}

#[derive(Clone, Copy, Debug)]
enum Lease {
    Holds { until: Instant },
    Lapsed { remembered_until: Instant },
}

impl Held {
    fn state(&self) -> InstanceState {
        match self.lease {
            Lease::Holds { .. } => InstanceState::Up,
            Lease::Lapsed { .. } => InstanceState::Lapsed,
        }
    }
}

impl Leases {
    pub(crate) fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            services: BTreeMap::new(),
            revision: 1,
            revision_for_all: 1,
            warming_until: Some(now + limits.ttl),
            advanced_at: now,
        }
    }

    /// Makes the instance known and its lease hold. Whoever is listed at the same address is gone:
    /// an instance that was killed and started again at its place has not lapsed.
    pub(crate) fn register(&mut self, instance: Instance, now: Instant) -> Result<(), Refused> {
        self.advance(now);
        let known = self.services.contains_key(&instance.service);
        if !known && self.services.len() >= self.limits.services {
            return Err(Refused::Services);
        }
        let service = self.services.entry(instance.service.clone()).or_default();
        let others = service.instances.len();
        service
            .instances
            .retain(|id, held| *id == instance.id || !held.instance.is_where(&instance));
        let mut changed = others != service.instances.len();
        if !service.instances.contains_key(&instance.id) {
            changed |= service.make_room(self.limits.instances_per_service)?;
        }
        let until = now + self.limits.ttl;
        let before = service.instances.get(&instance.id);
        changed |= before
            .is_none_or(|held| *held.instance != instance || held.state() == InstanceState::Lapsed);
        let held = Held {
            instance: Arc::new(instance),
            lease: Lease::Holds { until },
        };
        service.instances.insert(held.instance.id.clone(), held);
        if changed {
            self.revision += 1;
            service.revision = self.revision;
        }
        Ok(())
    }

    /// Renews a lease, also one that has lapsed; false if the instance is not known.
    pub(crate) fn renew(&mut self, service: &Name, id: &Name, now: Instant) -> bool {
        self.advance(now);
        let Some(service) = self.services.get_mut(service) else {
            return false;
        };
        let Some(held) = service.instances.get_mut(id) else {
            return false;
        };
        let was = held.state();
        held.lease = Lease::Holds {
            until: now + self.limits.ttl,
        };
        if was == InstanceState::Lapsed {
            self.revision += 1;
            service.revision = self.revision;
        }
        true
    }

    /// Takes an instance off the list; false if it was not on it.
    pub(crate) fn deregister(&mut self, service: &Name, id: &Name, now: Instant) -> bool {
        self.advance(now);
        let Some(service) = self.services.get_mut(service) else {
            return false;
        };
        let was_there = service.instances.remove(id).is_some();
        if was_there {
            self.revision += 1;
            service.revision = self.revision;
        }
        was_there
    }

    /// Lets time pass: leases lapse, the lapsed are forgotten, warming ends.
    pub(crate) fn advance(&mut self, now: Instant) {
        let pause = now.saturating_duration_since(self.advanced_at);
        self.advanced_at = now;
        // Twice what is usual, for a machine that is merely busy.
        if pause > self.limits.longest_pause() * 2 {
            self.forgive(now);
        }
        if self.warming_until.is_some_and(|until| until <= now) {
            self.warming_until = None;
            self.changed_for_all();
        }
        let remembered_until = now + self.limits.lapsed_retention;
        for service in self.services.values_mut() {
            if service.advance(now, remembered_until) {
                self.revision += 1;
                service.revision = self.revision;
            }
        }
    }

    /// This process has slept: heartbeats may have been sent to it and not been heard.
    fn forgive(&mut self, now: Instant) {
        let renewed = now + self.limits.ttl;
        for service in self.services.values_mut() {
            for held in service.instances.values_mut() {
                if let Lease::Holds { until } = &mut held.lease {
                    *until = renewed;
                }
            }
        }
        self.warming_until = Some(renewed);
        self.changed_for_all();
    }

    fn changed_for_all(&mut self) {
        self.revision += 1;
        self.revision_for_all = self.revision;
    }

    /// Grows with every change of anything that is to be seen.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    pub(crate) fn readiness(&self) -> Readiness {
        match self.warming_until {
            Some(_) => Readiness::Warming,
            None => Readiness::Ready,
        }
    }

    pub(crate) fn view(&self, service: &Name) -> View {
        let known = self.services.get(service);
        View {
            revision: self
                .revision_for_all
                .max(known.map_or(0, |service| service.revision)),
            readiness: self.readiness(),
            instances: known.into_iter().flat_map(Service::listed).collect(),
        }
    }

    /// Every known service, with how many instances it has.
    pub(crate) fn counts(&self) -> Vec<Count> {
        let count = |(name, service): (&Name, &Service)| {
            let is_up = |held: &&Held| held.state() == InstanceState::Up;
            let up = service.instances.values().filter(is_up).count();
            Count {
                service: name.clone(),
                up,
                lapsed: service.instances.len() - up,
            }
        };
        self.services.iter().map(count).collect()
    }

    /// Every instance, lapsed or not.
    pub(crate) fn all(&self) -> Vec<Listed> {
        self.services.values().flat_map(Service::listed).collect()
    }

    /// When something will change by itself, if nothing happens before.
    pub(crate) fn next_change(&self) -> Option<Instant> {
        let held = self
            .services
            .values()
            .flat_map(|service| service.instances.values());
        let ends = held.map(|held| match held.lease {
            Lease::Holds { until } => until,
            Lease::Lapsed { remembered_until } => remembered_until,
        });
        ends.chain(self.warming_until).min()
    }
}

impl Service {
    fn listed(&self) -> impl Iterator<Item = Listed> {
        self.instances.values().map(|held| Listed {
            instance: held.instance.clone(),
            state: held.state(),
        })
    }

    /// Whether anything changed that is to be seen.
    fn advance(&mut self, now: Instant, remembered_until: Instant) -> bool {
        let mut changed = false;
        self.instances.retain(|_, held| {
            match held.lease {
                Lease::Holds { until } if until <= now => {
                    held.lease = Lease::Lapsed { remembered_until };
                    changed = true;
                }
                Lease::Lapsed { remembered_until } if remembered_until <= now => {
                    changed = true;
                    return false;
                }
                Lease::Holds { .. } | Lease::Lapsed { .. } => {}
            }
            true
        });
        changed
    }

    /// Makes room for one more, by forgetting the longest lapsed if need be.
    fn make_room(&mut self, limit: usize) -> Result<bool, Refused> {
        if self.instances.len() < limit {
            return Ok(false);
        }
        let lapsed = self
            .instances
            .iter()
            .filter_map(|(id, held)| match held.lease {
                Lease::Lapsed { remembered_until } => Some((remembered_until, id)),
                Lease::Holds { .. } => None,
            });
        let Some((_, longest)) = lapsed.min() else {
            return Err(Refused::Instances);
        };
        let longest = longest.clone();
        self.instances.remove(&longest);
        Ok(true)
    }
}

#[cfg(test)]
#[path = "leases_tests.rs"]
mod tests;
