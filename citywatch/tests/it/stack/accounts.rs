//! Where every span is, by the count of the service that made it and by that of the collector.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::super::harness::{City, within};
use super::{SEEN, prometheus, services};

/// Nothing has changed for so long where no more spans are made. Not longer: services have work of
/// their own from time to time.
const STILL: Duration = Duration::from_secs(3);

/// Where the spans of a service are, by its own count.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Spans {
    pub(crate) delivered: f64,
    pub(crate) lost: f64,
    queued: f64,
    in_flight: f64,
}

impl Spans {
    fn read(page: &str) -> Self {
        let mut spans = Self::default();
        for line in page.lines() {
            let Some((sample, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let value = || value.parse::<f64>().unwrap();
            let failed = labels.contains("error_type=");
            match name {
                "otel_sdk_exporter_span_exported_total" if !failed => spans.delivered += value(),
                // What the processor did not lose it gave to the exporter, which counts it too.
                "otel_sdk_exporter_span_exported_total"
                | "otel_sdk_processor_span_processed_total"
                    if failed =>
                {
                    spans.lost += value();
                }
                "otel_sdk_processor_span_queue_size" => spans.queued += value(),
                "otel_sdk_exporter_span_inflight" => spans.in_flight += value(),
                _ => {}
            }
        }
        spans
    }

    pub(crate) fn waiting(&self) -> f64 {
        self.queued + self.in_flight
    }

    pub(crate) fn produced(&self) -> f64 {
        self.delivered + self.lost + self.waiting()
    }
}

pub(crate) async fn page(city: &City, service: &str) -> String {
    let state = city.state();
    let admin = state["processes"][format!("{service}-1")]["admin"]
        .as_str()
        .unwrap();
    let url = format!("http://{admin}/metrics");
    let answer = city.http.get(url).send().await.unwrap();
    answer.text().await.unwrap()
}

/// The sum of a metric's samples on a page.
pub(crate) fn sum(page: &str, name: &str) -> f64 {
    sum_of(page, name, |_| true)
}

/// The same of samples with such labels.
pub(crate) fn sum_of(page: &str, name: &str, such: impl Fn(&str) -> bool) -> f64 {
    let samples = page.lines().filter_map(|line| {
        let (labels, value) = line.strip_prefix(name)?.rsplit_once(' ')?;
        let meant = labels.is_empty() || labels.starts_with('{');
        (meant && such(labels)).then(|| value.parse::<f64>().ok())?
    });
    samples.sum()
}

/// Spans that the collector took since it started, by its page at this moment.
pub(crate) async fn accepted(city: &City) -> f64 {
    let targets = prometheus(city, "targets", &[("state", "active")]).await;
    let mut targets = targets["activeTargets"].as_array().unwrap().iter();
    let collector = targets.find(|target| target["labels"]["job"] == "otel-collector");
    let url = collector.unwrap()["scrapeUrl"].as_str().unwrap();
    let page = city
        .http
        .get(url)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    sum(&page, "otelcol_receiver_accepted_spans")
        + sum(&page, "otelcol_receiver_accepted_spans_total")
}

/// Where all spans are once no more are made and, if the collector is there, none waits.
pub(crate) async fn quiet(city: &City, delivered: bool) -> BTreeMap<String, Spans> {
    let mut last = BTreeMap::new();
    let (mut same_again, mut since) = (0, Instant::now());
    let still = within(SEEN, async || {
        let mut now = BTreeMap::new();
        for service in services(city) {
            let spans = Spans::read(&page(city, &service).await);
            now.insert(service, spans);
        }
        let nobody_waits = now.values().all(|spans| spans.waiting() == 0.0);
        if now == last && (nobody_waits || !delivered) {
            same_again += 1;
        } else {
            (same_again, since) = (0, Instant::now());
        }
        last = now;
        same_again >= 3 && since.elapsed() >= STILL
    });
    assert!(still.await.is_some(), "{last:?}\n{}", city.said());
    last
}
