//! A service's instances: what to believe of what the registry says.

use std::sync::Arc;

use tokio::sync::watch::{Receiver, Sender, channel};

use crate::endpoint::{Endpoint, Endpoints, EndpointsWriter};
use crate::error::RegistryError;
use crate::follow::{Listener, follow};
use crate::sse::Event;
use crate::transport::Transport;
use crate::wire::{InstanceState, Instances, RegistryState};

/// Starts a watch in the background, from the list that is `known`. It ends when the client stops
/// or when no one holds a clone of the list any more. Each change counts in `revision`. The flag
/// rises with the registry's first word.
pub(crate) fn watch(
    transport: Arc<Transport>,
    service: &str,
    known: Vec<Endpoint>,
    revision: Sender<u64>,
) -> (Endpoints, Receiver<bool>) {
    let (writer, endpoints) = EndpointsWriter::new(known);
    let writer = Arc::new(writer);
    let path = format!("/v1/services/{service}/watch");
    let (synced, is_synced) = channel(false);
    let listener = InstancesListener {
        writer: writer.clone(),
        belief: Belief::default(),
        revision,
        synced,
    };
    tokio::spawn(async move {
        tokio::select! {
            () = follow(transport, path, listener) => {}
            () = writer.unread() => {}
        }
    });
    (endpoints, is_synced)
}

struct InstancesListener {
    writer: Arc<EndpointsWriter>,
    belief: Belief,
    revision: Sender<u64>,
    synced: Sender<bool>,
}

impl Listener for InstancesListener {
    fn connected(&mut self) {
        self.belief = Belief::default();
    }

    fn event(&mut self, event: &Event) -> Result<(), RegistryError> {
        if event.name != "instances" {
            return Ok(());
        }
        let told: Instances = serde_json::from_str(&event.data)
            .map_err(|error| RegistryError::Protocol(error.to_string()))?;
        let next = self.belief.next(&self.writer.list(), told);
        if self.writer.set(next) {
            self.revision.send_modify(|revision| *revision += 1);
        }
        self.synced.send_replace(true);
        Ok(())
    }
}

/// Turns what one connection tells into the list to use.
#[derive(Debug, Default)]
struct Belief {
    /// This connection has told of instances before. Only then is "none" news; else it may be the
    /// word of a registry that has forgotten, or in whose absence every lease ran out.
    has_told_of_some: bool,
}

impl Belief {
    fn next(&mut self, known: &[Endpoint], told: Instances) -> Vec<Endpoint> {
        let (up, lapsed): (Vec<_>, Vec<_>) = told
            .instances
            .into_iter()
            .partition(|instance| instance.state == InstanceState::Up);
        let up: Vec<Endpoint> = up.into_iter().map(|instance| instance.endpoint).collect();
        let had_told = self.has_told_of_some;
        self.has_told_of_some |= !up.is_empty();

        if told.state == RegistryState::Warming {
            return joined(known, up);
        }
        if !up.is_empty() {
            return up;
        }
        // Nobody's lease holds. Instances that went properly are not listed at all; these may be
        // alive and cut off from the registry, and trying them costs less than giving up.
        if !lapsed.is_empty() {
            return lapsed
                .into_iter()
                .map(|instance| instance.endpoint)
                .collect();
        }
        if had_told { Vec::new() } else { known.to_vec() }
    }
}

/// What is known, and what is told beside it; an address belongs to whoever was told last.
fn joined(known: &[Endpoint], told: Vec<Endpoint>) -> Vec<Endpoint> {
    let mut list = told;
    for endpoint in known {
        let replaced = list.iter().any(|newer| {
            newer.instance_id == endpoint.instance_id || newer.address == endpoint.address
        });
        if !replaced {
            list.push(endpoint.clone());
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Instance;

    fn endpoint(id: &str, port: u16) -> Endpoint {
        Endpoint {
            instance_id: id.to_owned(),
            address: ([127, 0, 0, 1], port).into(),
            admin_address: None,
            version: "0.1.0".to_owned(),
        }
    }

    fn told(state: RegistryState, up: &[(&str, u16)], lapsed: &[(&str, u16)]) -> Instances {
        let instance = |state| {
            move |&(id, port): &(&str, u16)| Instance {
                endpoint: endpoint(id, port),
                state,
            }
        };
        let up = up.iter().map(instance(InstanceState::Up));
        let lapsed = lapsed.iter().map(instance(InstanceState::Lapsed));
        Instances {
            state,
            instances: up.chain(lapsed).collect(),
        }
    }

    fn ids(list: &[Endpoint]) -> Vec<&str> {
        let mut ids: Vec<_> = list
            .iter()
            .map(|endpoint| endpoint.instance_id.as_str())
            .collect();
        ids.sort_unstable();
        ids
    }

    const READY: RegistryState = RegistryState::Ready;
    const WARMING: RegistryState = RegistryState::Warming;

    #[test]
    fn a_ready_registry_is_believed() {
        let known = [endpoint("a", 1), endpoint("b", 2)];
        let next = Belief::default().next(&known, told(READY, &[("b", 2), ("c", 3)], &[("a", 1)]));
        assert_eq!(ids(&next), ["b", "c"]);
    }

    #[test]
    fn a_warming_registry_adds_and_takes_nothing_away() {
        let known = [endpoint("a", 1), endpoint("b", 2)];
        let mut belief = Belief::default();
        let next = belief.next(&known, told(WARMING, &[], &[]));
        assert_eq!(ids(&next), ["a", "b"]);
        let next = belief.next(&next, told(WARMING, &[("c", 3), ("new-a", 1)], &[]));
        assert_eq!(ids(&next), ["b", "c", "new-a"]);
        let next = belief.next(&next, told(READY, &[("c", 3), ("new-a", 1)], &[]));
        assert_eq!(ids(&next), ["c", "new-a"]);
    }

    #[test]
    fn a_registry_that_has_forgotten_a_service_does_not_empty_its_list() {
        let known = [endpoint("a", 1)];
        let mut belief = Belief::default();
        let next = belief.next(&known, told(WARMING, &[], &[]));
        let next = belief.next(&next, told(READY, &[], &[]));
        assert_eq!(ids(&next), ["a"]);
    }

    #[test]
    fn instances_that_went_in_sight_are_gone() {
        let mut belief = Belief::default();
        let next = belief.next(&[], told(READY, &[("a", 1)], &[]));
        assert_eq!(ids(&next), ["a"]);
        assert_eq!(belief.next(&next, told(READY, &[], &[])), []);
    }

    #[test]
    fn when_every_lease_has_lapsed_the_lapsed_are_tried() {
        let mut belief = Belief::default();
        let next = belief.next(&[], told(READY, &[("a", 1), ("b", 2)], &[]));
        let next = belief.next(&next, told(READY, &[], &[("a", 1), ("b", 2)]));
        assert_eq!(ids(&next), ["a", "b"]);
    }
}
