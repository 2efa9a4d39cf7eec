//! The span pipeline's account of itself, in the names of the semantic conventions
//! (opentelemetry.io/docs/specs/semconv/otel/sdk-metrics) as far as they have one.
//! Everything is there from the first scrape, at zero.

use super::family::{Description, Kind, Labels, Snapshot};
use crate::{DropReason, SpanCounts};

pub(super) fn gather(all: &mut Snapshot, counts: &SpanCounts) {
    let counter = |name, help| Description::new(Kind::Counter, name, "{span}", help);
    all.number(
        counter(
            "otel.sdk.span.produced",
            "Sampled spans that ended: those processed and those in the queue.",
        ),
        counts.produced,
    );
    let (at_export, before): (Vec<_>, Vec<_>) = DropReason::ALL
        .into_iter()
        .partition(|reason| lost_at_export(*reason));
    let refused: u64 = at_export
        .iter()
        .map(|reason| counts.dropped_for(*reason))
        .sum();
    for (name, help, well, lost) in [
        (
            "otel.sdk.processor.span.processed",
            "Spans that left the queue for the exporter, or were lost before.",
            counts.exported + refused,
            before,
        ),
        (
            "otel.sdk.exporter.span.exported",
            "Spans whose export is over: taken by the collector, or given up.",
            counts.exported,
            at_export,
        ),
    ] {
        let Some(family) = all.family(counter(name, help)) else {
            continue;
        };
        family.number(Labels::none(), well);
        for reason in lost {
            let labels = Labels::none().with("error.type", reason.as_str());
            family.number(labels, counts.dropped_for(reason));
        }
    }
    all.number(
        Description::new(
            Kind::UpDownCounter,
            "otel.sdk.processor.span.queue.size",
            "{span}",
            "Spans that wait in a thread's buffer, in the queue or in a request under way.",
        ),
        counts.queued,
    );
    all.number(
        Description::new(
            Kind::UpDownCounter,
            "otel.sdk.processor.span.queue.bytes",
            "By",
            "Bytes of spans in the queue and in the request under way.",
        ),
        counts.queued_bytes,
    );
}

/// Whether the loss is the exporter's, after the queue had let go of the span.
fn lost_at_export(reason: DropReason) -> bool {
    match reason {
        DropReason::Rejected | DropReason::RetriesExhausted => true,
        DropReason::QueueFull | DropReason::TooLarge | DropReason::Shutdown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::text::{self, Format};

    #[test]
    fn the_page_adds_up() {
        let mut dropped = [0; DropReason::ALL.len()];
        dropped[DropReason::QueueFull as usize] = 2;
        dropped[DropReason::Rejected as usize] = 3;
        let counts = SpanCounts {
            produced: 15,
            exported: 6,
            queued: 4,
            queued_bytes: 900,
            dropped,
        };
        let mut all = Snapshot::default();
        gather(&mut all, &counts);
        let page = text::page(&all, Format::Text);
        let sum = |family: &str| -> u64 {
            let lines = page.lines().filter(|line| line.starts_with(family));
            lines
                .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
                .sum()
        };
        assert_eq!(sum("otel_sdk_exporter_span_exported_total"), 9);
        assert_eq!(
            sum("otel_sdk_span_produced_total"),
            sum("otel_sdk_processor_span_processed_total")
                + sum("otel_sdk_processor_span_queue_size")
        );
        assert!(page.contains("{error_type=\"shutdown\"} 0\n"));
    }
}
