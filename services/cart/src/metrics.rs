//! What this service counts of its own; HTTP and store metrics come with telemetry.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// How a cart is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A product is put in, or has another quantity.
    Put,
    /// A product is taken out.
    Remove,
    /// The member empties it.
    Clear,
    /// It was bought.
    Empty,
}

impl Change {
    const ALL: [Self; 4] = [Self::Put, Self::Remove, Self::Clear, Self::Empty];

    fn label(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Remove => "remove",
            Self::Clear => "clear",
            Self::Empty => "empty",
        }
    }
}

/// The metrics, registered.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    changes: IntCounterVec,
    conflicts: IntCounter,
    expired: IntCounter,
    unreadable: IntCounter,
}

impl Metrics {
    /// Registers them, each series at zero.
    ///
    /// # Errors
    /// One of the names is taken.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            changes: IntCounterVec::new(
                Opts::new("citywatch_cart_changes_total", "Carts that were changed."),
                &["change"],
            )?,
            conflicts: IntCounter::new(
                "citywatch_cart_conflicts_total",
                "Changes that were tried again because another process was faster.",
            )?,
            expired: IntCounter::new(
                "citywatch_cart_expired_total",
                "Carts that were removed because nobody touched them.",
            )?,
            unreadable: IntCounter::new(
                "citywatch_cart_unreadable_total",
                "Carts that were read and could not be understood.",
            )?,
        };
        registry.register(Box::new(metrics.changes.clone()))?;
        registry.register(Box::new(metrics.conflicts.clone()))?;
        registry.register(Box::new(metrics.expired.clone()))?;
        registry.register(Box::new(metrics.unreadable.clone()))?;
        for change in Change::ALL {
            metrics.changes.with_label_values(&[change.label()]);
        }
        Ok(metrics)
    }

    pub(crate) fn changed(&self, change: Change) {
        self.changes.with_label_values(&[change.label()]).inc();
    }

    pub(crate) fn conflicted(&self) {
        self.conflicts.inc();
    }

    pub(crate) fn expired(&self) {
        self.expired.inc();
    }

    pub(crate) fn unreadable(&self) {
        self.unreadable.inc();
    }

    #[cfg(test)]
    pub(crate) fn conflicts(&self) -> u64 {
        self.conflicts.get()
    }

    #[cfg(test)]
    pub(crate) fn swept(&self) -> u64 {
        self.expired.get()
    }
}
