//! What is recorded is what arrives: spans of all three inputs with random contents, decoded by the
//! reference implementation and compared, field by field, with a model of what was recorded.
//!
//! `TELEMETRY_PROOF_SPANS` says how many spans at least (`scripts/test` asks for a million),
//! `TELEMETRY_PROOF_SEED` repeats one round.

mod edge;
mod model;
mod random;
mod sdk;
mod traced;

use model::{Expected, Model};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use random::Random;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use telemetry::settings::{Limits, Settings};
use telemetry::testing::Collector;
use telemetry::{DropReason, Service, SpanContext, SpanLayer, Telemetry};
use tracing::{Dispatch, Level, dispatcher};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;

const SPANS: u64 = 50_000;
/// Spans of one round, about: they are all in memory before they are compared.
const ROUND: usize = 1_000;

#[test]
fn what_arrives_is_what_was_recorded() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse().unwrap());
    let wanted = number("TELEMETRY_PROOF_SPANS").unwrap_or(SPANS);
    let layer = SpanLayer::new().with_events(Level::INFO).build();
    // One for all rounds: the spans belong to the service of the request they are in.
    let dispatch = Dispatch::new(Registry::default().with(layer));
    if let Some(seed) = number("TELEMETRY_PROOF_SEED") {
        dispatcher::with_default(&dispatch, || round(seed));
        return;
    }
    let (rounds, spans) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        while spans.load(Ordering::Relaxed) < wanted {
            let seed = rounds.fetch_add(1, Ordering::Relaxed);
            let done = std::panic::catch_unwind(AssertUnwindSafe(|| round(seed)));
            let Ok(count) = done else {
                panic!("see above: TELEMETRY_PROOF_SEED={seed} repeats it")
            };
            spans.fetch_add(count, Ordering::Relaxed);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| dispatcher::with_default(&dispatch, work));
        }
    });
    assert!(spans.into_inner() >= wanted);
}

/// One service's life: what it has recorded, and what there should be of it.
struct Round {
    random: Random,
    telemetry: Telemetry,
    model: Model,
}

/// Where something happens.
#[derive(Clone)]
struct Place {
    context: SpanContext,
    /// Links of the way down, so that it ends.
    depth: u32,
}

fn round(seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let limits = limits(&mut random);
    let mut settings = Settings {
        limits,
        ..Settings::default()
    };
    // Everything waits until the end of the round.
    settings.traces.queue.max_bytes = 1 << 30;
    let collector = Collector::new();
    let telemetry = Telemetry::builder(Service::new("proof", "1.0.0"))
        .settings(settings)
        .exporter(collector.exporter())
        .without_subscriber()
        .opentelemetry_context()
        .build()
        .unwrap();
    let mut round = Round {
        random,
        telemetry,
        model: Model::new(limits),
    };
    while round.model.expected.len() < ROUND {
        round.request();
    }
    round.too_large();
    let requests = futures_util::FutureExt::now_or_never(collector.requests()).unwrap();
    let counts = round.telemetry.counts();
    assert_eq!(counts.dropped_for(DropReason::TooLarge), 1);
    let count = round.model.expected.len() as u64;
    assert_eq!((counts.produced, counts.exported), (count + 1, count));
    compare(&requests, round.model.expected);
    count
}

/// Mostly those of the specification; now and then some that are met.
fn limits(random: &mut Random) -> Limits {
    if random.one_in(2) {
        return Limits::default();
    }
    let mut limits = Limits::default();
    limits.attribute_count = random.below(12) as u32;
    limits.attribute_value_length = random.maybe(|random| random.below(20) as usize);
    limits.event_count = random.below(4) as u32;
    limits.link_count = random.below(4) as u32;
    limits.event_attribute_count = random.below(4) as u32;
    limits.link_attribute_count = random.below(4) as u32;
    limits
}

impl Round {
    /// Whatever happens within a span.
    fn inside(&mut self, place: &Place) {
        if place.depth == 0 {
            return;
        }
        let place = Place {
            depth: place.depth - 1,
            ..place.clone()
        };
        for _ in 0..self.random.below(4) {
            match self.random.below(6) {
                0 => self.client(&place),
                1 | 2 => self.api_span(&place),
                3 => self.future(&place),
                _ => self.traced(&place),
            }
        }
    }

    /// A span that has no room in a request: dropped alone, and counted.
    fn too_large(&mut self) {
        use opentelemetry::trace::{Tracer, TracerProvider};
        let tracer = self.telemetry.tracer_provider().tracer("proof");
        let name = "x".repeat(1 << 21);
        drop(tracer.start(name));
    }
}

fn compare(requests: &[Vec<u8>], mut expected: HashMap<u64, Expected>) {
    for request in requests {
        let request = ExportTraceServiceRequest::decode(&**request).unwrap();
        for resource in request.resource_spans {
            let attributes = resource.resource.unwrap().attributes;
            assert!(attributes.iter().any(|pair| pair.key == "service.name"));
            for scope_spans in resource.scope_spans {
                let scope = scope_spans.scope.unwrap();
                for span in scope_spans.spans {
                    let id = u64::from_be_bytes(span.span_id[..].try_into().unwrap());
                    let expected = expected.remove(&id);
                    let expected = expected.unwrap_or_else(|| panic!("nobody made {span:#?}"));
                    expected.check(span, &scope, &scope_spans.schema_url);
                }
            }
        }
    }
    assert!(expected.is_empty(), "lost: {expected:#?}");
}
