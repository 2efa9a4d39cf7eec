//! How the tokio runtimes fare that a service runs on: what tokio counts itself, and how late
//! they come back to a task whose time has come.
//!
//! The names are our own: no convention knows tokio.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeMetrics};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::family::{Data, Description, Kind, LabelValue, Labels, Snapshot};
use super::fold::Series;
use super::histogram::Chosen;
use crate::settings::HistogramAggregation;
use crate::sync::lock;

/// How often each runtime is asked to be on time. A few microseconds of work each.
const EVERY: Duration = Duration::from_millis(500);
/// Seconds. Tokio's timers tick by the millisecond: what is below two of these is no delay.
const LATENESS: [f64; 11] = [
    0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];
/// More runtimes than this are not observed: their names are label values.
const MOST: usize = 64;

/// The runtimes that are observed.
#[derive(Debug, Default)]
pub(super) struct Runtimes {
    aggregation: HistogramAggregation,
    all: Mutex<Vec<Observed>>,
}

#[derive(Debug)]
struct Observed {
    name: Arc<str>,
    metrics: RuntimeMetrics,
    lateness: Arc<Mutex<Series<Chosen>>>,
    probe: AbortHandle,
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.probe.abort();
    }
}

impl Runtimes {
    pub(super) fn new(aggregation: HistogramAggregation) -> Runtimes {
        Runtimes {
            aggregation,
            all: Mutex::default(),
        }
    }

    /// Begins with a runtime. One of the same name takes the other's place.
    pub(super) fn observe(&self, name: &str, runtime: &Handle) {
        let mut all = lock(&self.all);
        all.retain(|one| *one.name != *name);
        if all.len() >= MOST {
            return;
        }
        let lateness = Arc::new(Mutex::new(Series::new(
            Chosen(LATENESS.into()),
            self.aggregation,
        )));
        let probe = runtime.spawn(probe(Arc::downgrade(&lateness)));
        all.push(Observed {
            name: name.into(),
            metrics: runtime.metrics(),
            lateness,
            probe: probe.abort_handle(),
        });
    }

    /// Ends the probes; what they have counted stays.
    pub(super) fn stop(&self) {
        for one in &*lock(&self.all) {
            one.probe.abort();
        }
    }

    pub(super) fn gather(&self, all: &mut Snapshot) {
        let runtimes = lock(&self.all);
        if runtimes.is_empty() && !all.is_of_names() {
            return;
        }
        type Read = fn(&RuntimeMetrics) -> u64;
        let numbers: [(Kind, &str, &str, &str, Read); 4] = [
            (
                Kind::UpDownCounter,
                "citywatch.tokio.workers",
                "{thread}",
                "Threads that run tasks.",
                |metrics| metrics.num_workers() as u64,
            ),
            (
                Kind::UpDownCounter,
                "citywatch.tokio.tasks",
                "{task}",
                "Tasks that have begun and not ended.",
                |metrics| metrics.num_alive_tasks() as u64,
            ),
            (
                Kind::UpDownCounter,
                "citywatch.tokio.queue.depth",
                "{task}",
                "Tasks that are ready to run and wait in the queue of all workers.",
                |metrics| metrics.global_queue_depth() as u64,
            ),
            (
                Kind::Counter,
                "citywatch.tokio.parks",
                "{park}",
                "How often workers ran out of work.",
                |metrics| {
                    let workers = 0..metrics.num_workers();
                    workers
                        .map(|worker| metrics.worker_park_count(worker))
                        .sum()
                },
            ),
        ];
        for (kind, name, unit, help, read) in numbers {
            let description = Description::new(kind, name, unit, help).observed();
            if let Some(family) = all.family(description) {
                for one in &*runtimes {
                    family.number(one.labels(), read(&one.metrics));
                }
            }
        }
        let busy = Description::new(
            Kind::Counter,
            "citywatch.tokio.busy",
            "s",
            "Time that workers spent on tasks; of as many seconds a second as there are workers.",
        );
        if let Some(family) = all.family(busy.observed()) {
            for one in &*runtimes {
                let workers = 0..one.metrics.num_workers();
                let busy: Duration = workers
                    .map(|worker| one.metrics.worker_total_busy_duration(worker))
                    .sum();
                family.number(one.labels(), busy.as_secs_f64());
            }
        }
        let lateness = Description::new(
            Kind::Histogram,
            "citywatch.tokio.scheduling.delay",
            "s",
            "How late a task ran whose time had come.",
        );
        if let Some(family) = all.family(lateness) {
            for one in &*runtimes {
                let totals = lock(&one.lateness).totals();
                let values = totals.over(&LATENESS[..]);
                family.point(one.labels(), Data::Distribution(values));
            }
        }
    }
}

impl Observed {
    fn labels(&self) -> Labels {
        let name = LabelValue::Shared(Arc::clone(&self.name));
        Labels::none().with("citywatch.tokio.runtime", name)
    }
}

/// Measures until nobody wants to know any more.
async fn probe(lateness: Weak<Mutex<Series<Chosen>>>) {
    loop {
        let due = Instant::now() + EVERY;
        sleep_until(due).await;
        let Some(lateness) = lateness.upgrade() else {
            return;
        };
        lock(&lateness).record(due.elapsed().as_secs_f64(), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(runtimes: &Runtimes) -> Vec<u64> {
        lock(&runtimes.all)
            .iter()
            .flat_map(|one| lock(&one.lateness).totals().counts)
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_yield_makes_others_late() {
        let runtimes = Runtimes::new(HistogramAggregation::default());
        runtimes.observe("main", &Handle::current());
        tokio::task::yield_now().await;
        // The clock goes on while nobody else can run.
        tokio::time::advance(EVERY + Duration::from_millis(80)).await;
        tokio::task::yield_now().await;
        let late = LATENESS.iter().position(|bound| *bound >= 0.08).unwrap();
        assert_eq!(delays(&runtimes)[late], 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_probe_ends_with_those_who_asked() {
        let runtimes = Runtimes::new(HistogramAggregation::default());
        runtimes.observe("main", &Handle::current());
        runtimes.observe("main", &Handle::current());
        assert_eq!(lock(&runtimes.all).len(), 1);
        let metrics = Handle::current().metrics();
        tokio::task::yield_now().await;
        assert_eq!(metrics.num_alive_tasks(), 1);
        runtimes.stop();
        tokio::task::yield_now().await;
        assert_eq!(metrics.num_alive_tasks(), 0);
    }

    #[tokio::test]
    async fn runtimes_beyond_the_limit_add_no_series() {
        let runtimes = Runtimes::new(HistogramAggregation::default());
        for number in 0..=MOST {
            runtimes.observe(&format!("worker-{number}"), &Handle::current());
        }
        let mut all = Snapshot::default();
        runtimes.gather(&mut all);
        let sizes = all.families.iter().map(|family| family.points.len());
        assert!(sizes.clone().count() >= 6 && sizes.max() == Some(MOST));
    }
}
