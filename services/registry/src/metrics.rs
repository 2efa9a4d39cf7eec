//! What is expected and what is there, counted when Prometheus asks.

use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, IntGaugeVec, Opts};

use crate::directory::Directory;
use crate::http::Watchers;

/// Registers the registry's own metrics.
pub(crate) fn register(
    registry: &prometheus::Registry,
    directory: &Arc<Directory>,
    watchers: &Arc<Watchers>,
) -> prometheus::Result<()> {
    let instances = Opts::new(
        "citywatch_registry_instances",
        "Registered instances by service and state: up, or lapsed and not deregistered.",
    );
    let watches = IntGauge::new(
        "citywatch_registry_watches",
        "Event streams that are open now.",
    )?;
    registry.register(Box::new(RegistryMetrics {
        directory: directory.clone(),
        watchers: watchers.clone(),
        instances: IntGaugeVec::new(instances, &["service", "state"])?,
        watches,
    }))
}

struct RegistryMetrics {
    directory: Arc<Directory>,
    watchers: Arc<Watchers>,
    instances: IntGaugeVec,
    watches: IntGauge,
}

impl Collector for RegistryMetrics {
    fn desc(&self) -> Vec<&Desc> {
        [self.instances.desc(), self.watches.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // A service once known stays known: no series has to be taken back.
        for count in self.directory.counts() {
            for (state, instances) in [("up", count.up), ("lapsed", count.lapsed)] {
                let gauge = self
                    .instances
                    .with_label_values(&[count.service.as_str(), state]);
                gauge.set(to_metric(instances));
            }
        }
        self.watches.set(to_metric(self.watchers.open()));
        let mut families = self.instances.collect();
        families.extend(self.watches.collect());
        families
    }
}

fn to_metric(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
