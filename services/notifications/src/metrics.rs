//! What this service counts of its own; HTTP metrics come with telemetry, those of events with
//! their chassis.

use app::{OldestAge, Timestamp};
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};

use crate::domain::Kind;

/// What an attempt to send came to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tried {
    /// Whoever is to deliver it has taken it.
    Sent,
    /// It is tried again.
    PutOff,
    /// It is not tried again.
    GivenUp,
}

impl Tried {
    const ALL: [Self; 3] = [Self::Sent, Self::PutOff, Self::GivenUp];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::PutOff => "put_off",
            Self::GivenUp => "given_up",
        }
    }
}

/// The metrics, registered.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    written: IntCounterVec,
    sends: IntCounterVec,
    unsent: IntGauge,
    oldest: OldestAge,
}

impl Metrics {
    /// Registers them, each series at zero.
    ///
    /// # Errors
    /// One of the names is taken.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            written: IntCounterVec::new(
                Opts::new(
                    "citywatch_notifications_written_total",
                    "Notifications that events brought about.",
                ),
                &["kind"],
            )?,
            sends: IntCounterVec::new(
                Opts::new(
                    "citywatch_notifications_sends_total",
                    "Attempts to send a notification, by what came of them.",
                ),
                &["outcome"],
            )?,
            unsent: IntGauge::new(
                "citywatch_notifications_unsent",
                "Notifications in the store that were to be sent when this instance last looked.",
            )?,
            oldest: OldestAge::register(
                registry,
                "citywatch_notifications_oldest_unsent_seconds",
                "Age of the oldest notification that was to be sent when this instance last \
                 looked; 0 if there was none.",
            )?,
        };
        registry.register(Box::new(metrics.written.clone()))?;
        registry.register(Box::new(metrics.sends.clone()))?;
        registry.register(Box::new(metrics.unsent.clone()))?;
        for kind in Kind::ALL {
            metrics.written.with_label_values(&[kind.name()]);
        }
        for tried in Tried::ALL {
            metrics.sends.with_label_values(&[tried.label()]);
        }
        Ok(metrics)
    }

    pub(crate) fn written(&self, kind: Kind) {
        self.written.with_label_values(&[kind.name()]).inc();
    }

    pub(crate) fn tried(&self, tried: Tried) {
        self.sends.with_label_values(&[tried.label()]).inc();
    }

    /// So many are to be sent; the oldest was written then.
    pub(crate) fn looked(&self, unsent: i64, oldest: Option<Timestamp>) {
        self.unsent.set(unsent);
        self.oldest.set(oldest);
    }
}
