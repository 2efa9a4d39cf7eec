//! The pipeline's account of itself, in the names of the
//! [semantic conventions](https://opentelemetry.io/docs/specs/semconv/otel/sdk-metrics/) as far as
//! they have one. What can be known before is there from the first scrape, at zero.

use super::family::{Data, Description, Distribution, Kind, LabelValue, Labels, Snapshot};
use crate::DropReason;
use crate::export::breaker;
use crate::export::client::Status;
use crate::export::journal::{self, ErrorType, Journal};
use crate::export::ledger::Flow;
use crate::export::report::Report;
use crate::export::signal::Signal;
use std::sync::Arc;

pub(super) fn gather(all: &mut Snapshot, reports: &[Report]) {
    for report in reports {
        if let Some(flow) = &report.queue {
            processor(all, report.signal, flow);
        }
        exporter(all, report);
    }
    operations(all, reports);
    breakers(all, reports);
}

/// The part between an item's end and the exporter.
fn processor(all: &mut Snapshot, signal: Signal, flow: &Flow) {
    let Flow { counts, tally, .. } = flow;
    let (noun, unit) = words(signal);
    let kind = match signal {
        Signal::Traces => "batching_span_processor",
        Signal::Logs => "batching_log_processor",
        Signal::Metrics => return,
    };
    let labels = component(kind);
    let describe = |kind, name: &str, unit, help| {
        Description::new(
            kind,
            format!("otel.sdk.processor.{noun}.{name}"),
            unit,
            help,
        )
    };
    if let Some(family) = all.family(describe(
        Kind::Counter,
        "processed",
        unit,
        "Handed to the exporter, or lost before.",
    )) {
        family.number(labels.clone(), tally.submitted);
        for reason in [
            DropReason::QueueFull,
            DropReason::TooLarge,
            DropReason::Shutdown,
        ] {
            let error = match reason {
                DropReason::Shutdown => "already_shutdown",
                other => other.as_str(),
            };
            let labels = labels.clone().with("error.type", error);
            family.number(labels, flow.lost_before_export(reason));
        }
    }
    let up_down = Kind::UpDownCounter;
    if let Some(family) = all.family(describe(
        up_down,
        "queue.size",
        unit,
        "Waiting in a thread's buffer or in the queue.",
    )) {
        family.number(labels.clone(), flow.waiting());
    }
    if let Some(max) = flow.limits.max_records
        && let Some(family) = all.family(describe(
            up_down,
            "queue.capacity",
            unit,
            "The most that may wait.",
        ))
    {
        family.number(labels.clone(), max);
    }
    for (name, help, bytes) in [
        (
            "usage",
            "Memory of the queue and of the request under way.",
            counts.queued_bytes,
        ),
        (
            "limit",
            "The most memory that may wait.",
            flow.limits.max_bytes as u64,
        ),
    ] {
        let name = format!("citywatch.{noun}.queue.{name}");
        if let Some(family) = all.family(Description::new(up_down, name, "By", help)) {
            family.number(labels.clone(), bytes);
        }
    }
}

fn exporter(all: &mut Snapshot, report: &Report) {
    let (noun, unit) = words(report.signal);
    let labels = exporter_labels(report.journal.as_deref());
    let describe = |kind, name: &str, help| {
        Description::new(kind, format!("otel.sdk.exporter.{noun}.{name}"), unit, help)
    };
    if let Some(family) = all.family(describe(
        Kind::UpDownCounter,
        "inflight",
        "Handed to the exporter, and neither taken nor lost yet.",
    )) {
        family.number(labels.clone(), report.tally.in_flight);
    }
    if let Some(family) = all.family(describe(
        Kind::Counter,
        "exported",
        "Export is over: taken by the collector, or lost.",
    )) {
        family.number(labels.clone(), report.tally.exported);
        let failed = &report.tally.failed;
        let rejected = DropReason::Rejected.as_str();
        if !failed.iter().any(|(error, _)| error == rejected) {
            family.number(labels.clone().with("error.type", rejected), 0_u64);
        }
        for (error, spans) in failed {
            family.number(with_error(labels.clone(), error), *spans);
        }
    }
}

fn operations(all: &mut Snapshot, reports: &[Report]) {
    let Some(family) = all.family(Description::new(
        Kind::Histogram,
        "otel.sdk.exporter.operation.duration",
        "s",
        "The time to export one batch, with all attempts.",
    )) else {
        return;
    };
    for journal in journals(reports) {
        for operations in journal.operations() {
            let mut labels = exporter_labels(Some(journal));
            match operations.status {
                Some(Status::Http(code)) => {
                    labels = labels.with("http.response.status_code", code);
                }
                Some(Status::Grpc(code)) => {
                    labels = labels.with("rpc.response.status_code", Status::name(code));
                }
                None => {}
            }
            if let Some(error) = &operations.error {
                labels = with_error(labels, error);
            }
            let distribution = Distribution {
                bounds: journal::BOUNDS.as_slice().into(),
                counts: operations.buckets.to_vec(),
                sum: operations.sum,
                exemplars: Vec::new(),
                exponential: None,
            };
            family.point(labels, Data::Distribution(distribution));
        }
    }
}

/// One series for each state; the one that holds is 1.
fn breakers(all: &mut Snapshot, reports: &[Report]) {
    let Some(family) = all.family(Description::new(
        Kind::UpDownCounter,
        "citywatch.exporter.breaker.state",
        "{breaker}",
        "Whether the collector is sent to, left alone or tried out.",
    )) else {
        return;
    };
    for journal in journals(reports) {
        for state in breaker::State::ALL {
            let labels = component(journal.component).with("state", state.as_str());
            family.number(labels, u64::from(journal.state() == state));
        }
    }
}

fn journals(reports: &[Report]) -> impl Iterator<Item = &Journal> {
    reports
        .iter()
        .filter_map(|report| report.journal.as_deref())
}

/// The signal's items in names, and their unit.
fn words(signal: Signal) -> (&'static str, &'static str) {
    match signal {
        Signal::Traces => ("span", "{span}"),
        Signal::Metrics => ("metric_data_point", "{data_point}"),
        Signal::Logs => ("log", "{log_record}"),
    }
}

/// There is one component of a type in a service's telemetry.
fn component(kind: &'static str) -> Labels {
    Labels::none()
        .with("otel.component.name", shared(&format!("{kind}/0")))
        .with("otel.component.type", kind)
}

fn exporter_labels(journal: Option<&Journal>) -> Labels {
    let Some(journal) = journal else {
        return Labels::none();
    };
    let (address, port) = &journal.server;
    component(journal.component)
        .with("server.address", shared(address))
        .with("server.port", *port)
}

fn with_error(labels: Labels, error: &ErrorType) -> Labels {
    labels.with("error.type", shared(error))
}

fn shared(text: &str) -> LabelValue {
    LabelValue::Shared(Arc::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SpanCounts;
    use crate::export::tally::Tally;
    use crate::metrics::text::{self, Format};
    use crate::settings::Queue;

    #[test]
    fn the_page_adds_up() {
        let mut dropped = [0; DropReason::ALL.len()];
        dropped[DropReason::QueueFull as usize] = 2;
        dropped[DropReason::Rejected as usize] = 3;
        // Four of them in the request that was under way.
        dropped[DropReason::Shutdown as usize] = 5;
        let flow = Flow {
            counts: SpanCounts {
                produced: 27,
                exported: 6,
                queued: 11,
                queued_bytes: 900,
                dropped,
            },
            tally: Tally {
                submitted: 20,
                in_flight: 7,
                exported: 6,
                failed: vec![("rejected".into(), 3), ("shutdown".into(), 4)],
            },
            limits: Queue::default(),
        };
        let mut all = Snapshot::default();
        let report = Report {
            signal: Signal::Traces,
            tally: flow.tally.clone(),
            queue: Some(flow),
            journal: None,
        };
        gather(&mut all, &[report]);
        let page = text::page(&all, Format::Text);
        let sum = |family: &str| -> u64 {
            let lines = page.lines().filter(|line| line.starts_with(family));
            lines
                .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
                .sum()
        };
        let submitted =
            sum("otel_sdk_exporter_span_exported_total") + sum("otel_sdk_exporter_span_inflight");
        assert_eq!(submitted, 20);
        let processed = sum("otel_sdk_processor_span_processed_total");
        assert_eq!(processed, 20 + 2 + 1);
        assert_eq!(processed + sum("otel_sdk_processor_span_queue_size"), 27);
        assert!(page.contains("error_type=\"too_large\"} 0\n"), "{page}");
    }
}
