//! Resources and scopes, kept once for all the spans that share them.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use super::names::{map_cost, name_cost, shrink};
use super::slab::Slab;
use super::trace::{ALLOCATION, Origin, OriginBytes};

#[derive(Debug)]
struct Entry {
    origin: Arc<Origin>,
    hash: u64,
    spans: u64,
}

#[derive(Debug)]
pub(super) struct Origins {
    entries: Slab<Entry>,
    by_hash: HashMap<u64, u32>,
    hasher: RandomState,
    inner: usize,
}

impl Origins {
    pub(super) fn new() -> Self {
        let (entries, by_hash) = (Slab::new(), HashMap::new());
        Origins {
            entries,
            by_hash,
            hasher: RandomState::new(),
            inner: 0,
        }
    }

    /// The id of this origin, held until [`Origins::release`] is called as often.
    pub(super) fn hold(&mut self, bytes: &OriginBytes<'_>) -> u32 {
        let hash = self.hasher.hash_one((
            &*bytes.resource,
            &*bytes.scope,
            bytes.resource_schema_url,
            bytes.scope_schema_url,
        ));
        if let Some(id) = self.by_hash.get(&hash)
            && let Some(entry) = self.entries.get_mut(*id)
            && same(&entry.origin, bytes)
        {
            entry.spans += 1;
            return *id;
        }
        let origin = Arc::new(Origin {
            service: bytes.service.as_str().into(),
            resource: bytes.resource.as_ref().into(),
            scope: bytes.scope.as_ref().into(),
            resource_schema_url: bytes.resource_schema_url.into(),
            scope_schema_url: bytes.scope_schema_url.into(),
        });
        self.inner += cost(&origin);
        let id = self.entries.insert(Entry {
            origin,
            hash,
            spans: 1,
        });
        // Two origins of one hash: the first keeps the entry, the second is merely not shared.
        self.by_hash.entry(hash).or_insert(id);
        id
    }

    pub(super) fn retain(&mut self, id: u32) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.spans += 1;
        }
    }

    pub(super) fn release(&mut self, id: u32) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        entry.spans = entry.spans.saturating_sub(1);
        if entry.spans == 0
            && let Some(entry) = self.entries.remove(id)
        {
            self.inner -= cost(&entry.origin);
            if self.by_hash.get(&entry.hash) == Some(&id) {
                self.by_hash.remove(&entry.hash);
                shrink(&mut self.by_hash);
            }
        }
    }

    pub(super) fn get(&self, id: u32) -> Option<&Arc<Origin>> {
        self.entries.get(id).map(|entry| &entry.origin)
    }

    pub(super) fn cost(&self) -> usize {
        self.inner + self.entries.cost() + map_cost(&self.by_hash)
    }
}

fn same(origin: &Origin, bytes: &OriginBytes<'_>) -> bool {
    *origin.resource == *bytes.resource
        && *origin.scope == *bytes.scope
        && *origin.resource_schema_url == *bytes.resource_schema_url
        && *origin.scope_schema_url == *bytes.scope_schema_url
}

fn cost(origin: &Origin) -> usize {
    let blocks = [
        origin.resource.len(),
        origin.scope.len(),
        origin.resource_schema_url.len(),
        origin.scope_schema_url.len(),
    ];
    let contents = blocks
        .iter()
        .filter(|len| **len > 0)
        .map(|len| len + ALLOCATION)
        .sum::<usize>();
    size_of::<Origin>()
        + 2 * size_of::<usize>()
        + ALLOCATION
        + name_cost(&origin.service)
        + contents
}
