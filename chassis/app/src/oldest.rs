use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Registry};

use crate::Timestamp;

/// A gauge of the age of the oldest of something, in seconds. It grows from one scrape to the
/// next, also while nobody looks; 0 while there is none. Clones are the same gauge.
#[derive(Debug, Clone)]
pub struct OldestAge {
    age: Gauge,
    /// Epoch microseconds; 0 for none.
    began: Arc<AtomicI64>,
}

impl OldestAge {
    /// Registers it, at zero.
    ///
    /// # Errors
    /// The name is taken, or is none.
    pub fn register(registry: &Registry, name: &str, help: &str) -> prometheus::Result<Self> {
        let oldest = Self {
            age: Gauge::new(name, help)?,
            began: Arc::default(),
        };
        registry.register(Box::new(oldest.clone()))?;
        Ok(oldest)
    }

    /// The oldest began then.
    pub fn set(&self, oldest: Option<Timestamp>) {
        let began = oldest.map_or(0, Timestamp::micros);
        self.began.store(began, Ordering::Relaxed);
    }
}

impl Collector for OldestAge {
    fn desc(&self) -> Vec<&Desc> {
        self.age.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let age = match self.began.load(Ordering::Relaxed) {
            0 => 0.0,
            began => Timestamp::from_micros(began).elapsed().as_secs_f64(),
        };
        self.age.set(age);
        self.age.collect()
    }
}
