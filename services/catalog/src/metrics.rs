//! What this service counts of its own; HTTP metrics come with telemetry.

use std::time::Instant;

use prometheus::{Gauge, IntCounterVec, IntGauge, Opts, Registry};

/// How a search ended.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    /// Something was found.
    Found,
    /// Nothing was.
    Empty,
    /// The request was not one that can be answered.
    Refused,
    /// The index failed.
    Failed,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Found, Self::Empty, Self::Refused, Self::Failed];

    fn label(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Empty => "empty",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What became of a look at a product.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Viewed {
    /// It was told of.
    Published,
    /// Too many waited already.
    Full,
    /// The store failed.
    Failed,
    /// It came while the service was stopping.
    Stopping,
}

impl Viewed {
    const ALL: [Self; 4] = [Self::Published, Self::Full, Self::Failed, Self::Stopping];

    fn label(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Full => "buffer_full",
            Self::Failed => "store_failed",
            Self::Stopping => "stopping",
        }
    }
}

/// The metrics, registered.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    searches: IntCounterVec,
    views: IntCounterVec,
    documents: IntGauge,
    lag: Gauge,
}

impl Metrics {
    /// Registers them, each series at zero.
    ///
    /// # Errors
    /// One of the names is taken.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            searches: IntCounterVec::new(
                Opts::new("citywatch_catalog_searches_total", "Searches by text."),
                &["outcome"],
            )?,
            views: IntCounterVec::new(
                Opts::new(
                    "citywatch_catalog_views_total",
                    "Looks of members at a product, by whether others are told of them.",
                ),
                &["outcome"],
            )?,
            documents: IntGauge::new(
                "citywatch_catalog_index_documents",
                "Products in this replica's search index.",
            )?,
            lag: Gauge::new(
                "citywatch_catalog_index_lag_seconds",
                "Time since the search index last held every row; 0 while it does.",
            )?,
        };
        registry.register(Box::new(metrics.searches.clone()))?;
        registry.register(Box::new(metrics.views.clone()))?;
        registry.register(Box::new(metrics.documents.clone()))?;
        registry.register(Box::new(metrics.lag.clone()))?;
        for outcome in Outcome::ALL {
            metrics.searches.with_label_values(&[outcome.label()]);
        }
        for outcome in Viewed::ALL {
            metrics.views.with_label_values(&[outcome.label()]);
        }
        Ok(metrics)
    }

    pub(crate) fn searched(&self, outcome: Outcome) {
        self.searches.with_label_values(&[outcome.label()]).inc();
    }

    /// This became of so many looks.
    pub(crate) fn viewed(&self, outcome: Viewed, looks: usize) {
        let views = self.views.with_label_values(&[outcome.label()]);
        views.inc_by(looks as u64);
    }

    /// The index holds `documents`, and last agreed with the rows at `agreed`.
    pub(crate) fn followed(&self, documents: u64, agreed: Instant) {
        self.documents
            .set(i64::try_from(documents).unwrap_or(i64::MAX));
        // Milliseconds: what is less is the time that this call took.
        let lag = agreed.elapsed().as_millis();
        self.lag
            .set(f64::from(u32::try_from(lag).unwrap_or(u32::MAX)) / 1_000.0);
    }
}
