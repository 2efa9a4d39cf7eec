//! What users registered with the `prometheus` crate, written in either format.

use prometheus::proto::{Histogram, LabelPair, MetricFamily, MetricType, Summary};

use super::text::{Family, Kind, PageWriter, Value};

/// Writes every family of the registry that does not clash with one already on the page.
pub(super) fn write(page: &mut PageWriter, registry: &prometheus::Registry) {
    for registered in registry.gather() {
        let kind = match registered.get_field_type() {
            MetricType::COUNTER => Kind::Counter,
            MetricType::GAUGE => Kind::Gauge,
            MetricType::HISTOGRAM => Kind::Histogram,
            MetricType::SUMMARY => Kind::Summary,
            MetricType::UNTYPED => continue,
        };
        let (name, help) = (registered.name(), registered.help());
        match kind {
            Kind::Counter => {
                let base = name.strip_suffix("_total").unwrap_or(name);
                if let Some(family) = page.family(base, kind, help) {
                    write_samples(family, "_total", &registered);
                // A gauge may have the counter's name without its end. The counter is then
                // written with its whole name and without its type.
                } else if let Some(family) = page.family(name, Kind::Unknown, help) {
                    write_samples(family, "", &registered);
                }
            }
            _ => {
                if let Some(family) = page.family(name, kind, help) {
                    write_samples(family, "", &registered);
                }
            }
        }
    }
}

fn write_samples(mut family: Family<'_, '_>, suffix: &str, registered: &MetricFamily) {
    for metric in registered.get_metric() {
        let labels: Vec<(&str, &str)> = metric.get_label().iter().map(pair).collect();
        let at = metric.timestamp_ms();
        let mut simple = |value| family.sample_at(suffix, &labels, None, Value::Float(value), at);
        match registered.get_field_type() {
            MetricType::COUNTER => simple(metric.get_counter().get_value()),
            MetricType::GAUGE => simple(metric.get_gauge().get_value()),
            // The crate has no way to make one.
            MetricType::UNTYPED => {}
            MetricType::HISTOGRAM => histogram(&mut family, &labels, metric.get_histogram(), at),
            MetricType::SUMMARY => summary(&mut family, &labels, metric.get_summary(), at),
        }
    }
}

fn pair(label: &LabelPair) -> (&str, &str) {
    (label.name(), label.value())
}

fn histogram(family: &mut Family<'_, '_>, labels: &[(&str, &str)], all: &Histogram, at: i64) {
    let infinite = (f64::INFINITY, all.get_sample_count());
    let finite = all
        .get_bucket()
        .iter()
        .map(|bucket| (bucket.upper_bound(), bucket));
    let finite = finite.filter(|(bound, _)| bound.is_finite());
    let buckets = finite.map(|(bound, bucket)| (bound, bucket.cumulative_count()));
    for (bound, count) in buckets.chain([infinite]) {
        family.sample_at("_bucket", labels, Some(("le", bound)), count.into(), at);
    }
    family.sample_at("_sum", labels, None, all.get_sample_sum().into(), at);
    family.sample_at("_count", labels, None, all.get_sample_count().into(), at);
}

fn summary(family: &mut Family<'_, '_>, labels: &[(&str, &str)], all: &Summary, at: i64) {
    for quantile in all.get_quantile() {
        let bound = Some(("quantile", quantile.quantile()));
        family.sample_at("", labels, bound, quantile.value().into(), at);
    }
    family.sample_at("_sum", labels, None, all.sample_sum().into(), at);
    family.sample_at("_count", labels, None, all.sample_count().into(), at);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::text::Format;
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
        let mut page = PageWriter::new(Format::OpenMetrics);
        write(&mut page, &registry);
        assert_eq!(
            page.finish(),
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
        let mut page = PageWriter::new(Format::Text);
        write(&mut page, &registry);
        assert_eq!(
            page.finish(),
            "# TYPE wait_seconds histogram\n# HELP wait_seconds Wait.\n\
             wait_seconds_bucket{le=\"1.0\"} 0\nwait_seconds_bucket{le=\"2.5\"} 1\n\
             wait_seconds_bucket{le=\"+Inf\"} 1\nwait_seconds_sum 2\nwait_seconds_count 1\n"
        );
    }
}
