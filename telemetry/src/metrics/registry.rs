//! What users registered with the `prometheus` crate.

use prometheus::proto::{Histogram, LabelPair, Metric, MetricFamily, MetricType, Summary};

use super::family::{
    Data, Description, Distribution, Kind, LabelValue, Labels, Point, Quantiles, Snapshot,
};
use super::names;
use std::sync::Arc;

/// Adds every family of the registry that does not clash with one already there. OTLP calls
/// them as the page does, with a counter's `_total` left out.
pub(super) fn gather(all: &mut Snapshot, registry: &prometheus::Registry) {
    for registered in registry.gather() {
        let kind = match registered.get_field_type() {
            MetricType::COUNTER => Kind::Counter,
            MetricType::GAUGE => Kind::Gauge,
            MetricType::HISTOGRAM => Kind::Histogram,
            MetricType::SUMMARY => Kind::Summary,
            // The crate has no way to make one.
            MetricType::UNTYPED => continue,
        };
        let name = registered.name();
        let base = match kind {
            Kind::Counter => name.strip_suffix("_total").unwrap_or(name),
            _ => name,
        };
        let described = |kind, page_name: &str| {
            let help = registered.help().to_owned();
            Description::new(kind, base.to_owned(), names::unit_of(base), help)
                .page_name(page_name.to_owned())
        };
        // A gauge may have the counter's name without its end. The counter is then written
        // with its whole name and without its type.
        let takes = if all.takes(&described(kind, base)) || kind != Kind::Counter {
            described(kind, base)
        } else {
            described(Kind::UntypedCounter, name)
        };
        if let Some(family) = all.family(takes) {
            family.points.extend(points(&registered));
        }
    }
}

fn points(registered: &MetricFamily) -> impl Iterator<Item = Point> {
    let kind = registered.get_field_type();
    registered.get_metric().iter().map(move |metric| Point {
        labels: metric.get_label().iter().fold(Labels::none(), with),
        data: data(kind, metric),
        at_millis: metric.timestamp_ms(),
        since_nanos: 0,
    })
}

fn with(labels: Labels, label: &LabelPair) -> Labels {
    let value = LabelValue::Shared(Arc::from(label.value()));
    labels.with(label.name().to_owned(), value)
}

fn data(kind: MetricType, metric: &Metric) -> Data {
    match kind {
        MetricType::COUNTER => Data::Number(metric.get_counter().get_value().into()),
        MetricType::GAUGE | MetricType::UNTYPED => {
            Data::Number(metric.get_gauge().get_value().into())
        }
        MetricType::HISTOGRAM => Data::Distribution(distribution(metric.get_histogram())),
        MetricType::SUMMARY => Data::Quantiles(quantiles(metric.get_summary())),
    }
}

/// The crate counts each bucket with those below it, and has no bucket without a bound.
fn distribution(all: &Histogram) -> Distribution {
    let finite = all
        .get_bucket()
        .iter()
        .filter(|bucket| bucket.upper_bound().is_finite());
    let (bounds, mut counts): (Vec<_>, Vec<_>) = finite
        .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()))
        .unzip();
    counts.push(all.get_sample_count());
    for at in (1..counts.len()).rev() {
        counts[at] = counts[at].saturating_sub(counts[at - 1]);
    }
    Distribution {
        bounds: bounds.into(),
        counts,
        sum: all.get_sample_sum(),
        exemplars: Vec::new(),
        exponential: None,
    }
}

fn quantiles(all: &Summary) -> Quantiles {
    let values = all.get_quantile().iter();
    Quantiles {
        values: values.map(|one| (one.quantile(), one.value())).collect(),
        sum: all.sample_sum(),
        count: all.sample_count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::text::{self, Format};
    use prometheus::{Gauge, HistogramOpts, IntCounter, Registry};

    #[test]
    fn a_counter_beside_a_gauge_of_its_name_keeps_both() {
        let registry = Registry::new();
        let jobs = IntCounter::new("jobs_total", "Jobs done.").unwrap();
        jobs.inc();
        registry.register(Box::new(jobs)).unwrap();
        registry
            .register(Box::new(Gauge::new("jobs", "Jobs now.").unwrap()))
            .unwrap();
        let plain = IntCounter::new("retries", "Retries.").unwrap();
        registry.register(Box::new(plain)).unwrap();
        let mut all = Snapshot::default();
        gather(&mut all, &registry);
        assert_eq!(
            text::page(&all, Format::OpenMetrics),
            "# TYPE jobs gauge\n# HELP jobs Jobs now.\njobs 0\n\
             # TYPE jobs_total unknown\n# HELP jobs_total Jobs done.\njobs_total 1\n\
             # TYPE retries counter\n# HELP retries Retries.\nretries_total 0\n# EOF\n"
        );
    }

    #[test]
    fn histograms_end_with_the_infinite_bucket() {
        let registry = Registry::new();
        let opts = HistogramOpts::new("wait_seconds", "Wait.").buckets(vec![1.0, 2.5]);
        let wait = prometheus::Histogram::with_opts(opts).unwrap();
        wait.observe(2.0);
        registry.register(Box::new(wait)).unwrap();
        let mut all = Snapshot::default();
        gather(&mut all, &registry);
        assert_eq!(
            text::page(&all, Format::Text),
            "# TYPE wait_seconds histogram\n# HELP wait_seconds Wait.\n\
             wait_seconds_bucket{le=\"1.0\"} 0\nwait_seconds_bucket{le=\"2.5\"} 1\n\
             wait_seconds_bucket{le=\"+Inf\"} 1\nwait_seconds_sum 2\nwait_seconds_count 1\n"
        );
    }
}
