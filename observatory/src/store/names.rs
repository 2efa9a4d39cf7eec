//! Services, their operations, and the traces that hold them.

use std::collections::HashMap;
use std::sync::Arc;

use super::postings::Postings;
use super::slab::Slab;
use super::trace::ALLOCATION;

#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: Arc<str>,
    pub(super) traces: Postings,
    operations: HashMap<Arc<str>, u32>,
}

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) service: u32,
    pub(super) name: Arc<str>,
    pub(super) traces: Postings,
    /// Spans of each kind that are kept.
    pub(super) kinds: [u32; 6],
}

/// Every name is kept once and goes with the last trace that holds it.
#[derive(Debug)]
pub(super) struct Names {
    services: Slab<Service>,
    service_ids: HashMap<Arc<str>, u32>,
    operations: Slab<Operation>,
    /// Bytes of what the slabs and the outer map do not say themselves.
    inner: usize,
}

impl Names {
    pub(super) fn new() -> Self {
        Names {
            services: Slab::new(),
            service_ids: HashMap::new(),
            operations: Slab::new(),
            inner: 0,
        }
    }

    /// One more span of `service` and `operation` in trace `sequence`: the operation's id.
    pub(super) fn add(&mut self, service: &Arc<str>, name: &str, kind: u8, sequence: u64) -> u32 {
        let service_id = match self.service_ids.get(service) {
            Some(id) => *id,
            None => {
                let name = Arc::clone(service);
                let (traces, operations) = (Postings::default(), HashMap::new());
                let id = self.services.insert(Service {
                    name,
                    traces,
                    operations,
                });
                self.service_ids.insert(Arc::clone(service), id);
                self.inner += name_cost(service);
                id
            }
        };
        let Some(service) = self.services.get_mut(service_id) else {
            return u32::MAX;
        };
        let before = service.traces.cost();
        service.traces.add(sequence);
        self.inner = self.inner + service.traces.cost() - before;
        let operation_id = match service.operations.get(name) {
            Some(id) => *id,
            None => {
                let name = Arc::<str>::from(name);
                self.inner += name_cost(&name);
                let before = map_cost(&service.operations);
                let id = self.operations.insert(Operation {
                    service: service_id,
                    name: Arc::clone(&name),
                    traces: Postings::default(),
                    kinds: [0; 6],
                });
                service.operations.insert(name, id);
                self.inner = self.inner + map_cost(&service.operations) - before;
                id
            }
        };
        if let Some(operation) = self.operations.get_mut(operation_id) {
            let before = operation.traces.cost();
            operation.traces.add(sequence);
            operation.kinds[usize::from(kind.min(5))] += 1;
            self.inner = self.inner + operation.traces.cost() - before;
        }
        operation_id
    }

    /// A span of trace `sequence`, the oldest kept, is gone.
    pub(super) fn remove(&mut self, operation_id: u32, kind: u8, sequence: u64) {
        let Some(operation) = self.operations.get_mut(operation_id) else {
            return;
        };
        let count = &mut operation.kinds[usize::from(kind.min(5))];
        *count = count.saturating_sub(1);
        let before = operation.traces.cost();
        operation.traces.remove_oldest(sequence);
        self.inner = self.inner + operation.traces.cost() - before;
        let service_id = operation.service;
        let Some(service) = self.services.get_mut(service_id) else {
            return;
        };
        let before = service.traces.cost();
        service.traces.remove_oldest(sequence);
        self.inner = self.inner + service.traces.cost() - before;
        if operation.kinds.iter().all(|count| *count == 0)
            && let Some(operation) = self.operations.remove(operation_id)
        {
            self.inner -= name_cost(&operation.name) + operation.traces.cost();
            let before = map_cost(&service.operations);
            service.operations.remove(&operation.name);
            shrink(&mut service.operations);
            self.inner = self.inner + map_cost(&service.operations) - before;
        }
        if service.operations.is_empty()
            && let Some(service) = self.services.remove(service_id)
        {
            self.inner -=
                name_cost(&service.name) + service.traces.cost() + map_cost(&service.operations);
            self.service_ids.remove(&service.name);
            shrink(&mut self.service_ids);
        }
    }

    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.service_ids.keys().map(AsRef::as_ref)
    }

    pub(super) fn service_id(&self, name: &str) -> Option<u32> {
        self.service_ids.get(name).copied()
    }

    pub(super) fn service(&self, id: u32) -> Option<&Service> {
        self.services.get(id)
    }

    pub(super) fn operation(&self, id: u32) -> Option<&Operation> {
        self.operations.get(id)
    }

    pub(super) fn operation_id(&self, service: u32, name: &str) -> Option<u32> {
        self.services.get(service)?.operations.get(name).copied()
    }

    pub(super) fn operations_of(&self, service: u32) -> impl Iterator<Item = &Operation> {
        let ids = self
            .services
            .get(service)
            .into_iter()
            .flat_map(|s| s.operations.values());
        ids.filter_map(|id| self.operations.get(*id))
    }

    /// The operations of this name, of whatever service.
    pub(super) fn operations_named(&self, name: &str) -> Vec<u32> {
        let ids = self
            .service_ids
            .values()
            .filter_map(|service| self.services.get(*service));
        ids.filter_map(|service| service.operations.get(name).copied())
            .collect()
    }

    pub(super) fn cost(&self) -> usize {
        self.inner + self.services.cost() + self.operations.cost() + map_cost(&self.service_ids)
    }
}

/// An `Arc<str>`: two counters, the text, the allocation.
pub(super) fn name_cost(name: &str) -> usize {
    2 * size_of::<usize>() + name.len() + ALLOCATION
}

/// The table of a standard map: entries and one control byte each, filled to 7/8 at most.
pub(super) fn map_cost<K, V>(map: &HashMap<K, V>) -> usize {
    (map.capacity() * 8).div_ceil(7) * (size_of::<(K, V)>() + 1)
}

/// Gives memory back once three quarters are unused.
pub(super) fn shrink<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>) {
    if map.len() < map.capacity() / 4 {
        map.shrink_to(map.len() * 2);
    }
}
