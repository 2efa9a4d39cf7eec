//! What board counts beyond its HTTP requests. Every series is there from the start.

use prometheus::{IntCounter, IntCounterVec, Opts, Registry};

/// How it is known what a member is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// It was remembered, also that users knows nobody of that id.
    Remembered,
    /// Users said it.
    Asked,
    /// Users knows nobody of that id.
    Unknown,
    /// Users could not be asked: the post shows the id alone.
    Failed,
}

const SOURCES: [(Source, &str); 4] = [
    (Source::Remembered, "remembered"),
    (Source::Asked, "asked"),
    (Source::Unknown, "unknown"),
    (Source::Failed, "failed"),
];

#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    posts: IntCounter,
    names: IntCounterVec,
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            posts: IntCounter::new("citywatch_board_posts_total", "Posts that were written.")?,
            names: IntCounterVec::new(
                Opts::new(
                    "citywatch_board_names_total",
                    "Names of authors that were wanted, by where they came from; `failed` are \
                     those that were left out because users could not be asked.",
                ),
                &["outcome"],
            )?,
        };
        registry.register(Box::new(metrics.posts.clone()))?;
        registry.register(Box::new(metrics.names.clone()))?;
        for (_, outcome) in SOURCES {
            metrics.names.with_label_values(&[outcome]);
        }
        Ok(metrics)
    }

    pub(crate) fn posted(&self) {
        self.posts.inc();
    }

    pub(crate) fn named(&self, source: Source, names: usize) {
        for (known, outcome) in SOURCES {
            if known == source {
                let counter = self.names.with_label_values(&[outcome]);
                counter.inc_by(names as u64);
            }
        }
    }
}
