//! The store against a model that remembers everything, and its bounds.

use std::collections::BTreeMap;

use super::*;
use crate::samples::{NOON, Noise};

fn origin(service: &str) -> OriginBytes<'_> {
    OriginBytes {
        service: service.to_owned(),
        resource: service.as_bytes().into(),
        ..OriginBytes::default()
    }
}

fn head(trace: u128, id: u64, name: &str, start: u64) -> SpanHead<'_> {
    SpanHead {
        trace_id: TraceId(trace),
        span_id: SpanId(id),
        name: name.as_bytes(),
        start,
        end: start + 1_000,
        kind: 2,
        raw: name.as_bytes(),
        ..SpanHead::default()
    }
}

fn ids(store: &Store, filter: Filter) -> Vec<u128> {
    let mut found = store.find(filter);
    std::iter::from_fn(|| found.next_where(|_| true))
        .map(|found| found.trace().id.0)
        .collect()
}

fn of(service: &str, operation: &str) -> Filter {
    let named = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    Filter {
        service: named(service),
        operation: named(operation),
        ..Filter::default()
    }
}

#[test]
fn an_empty_store_holds_nothing_and_finds_nothing() {
    let store = Store::new(1 << 20);
    let Stats {
        bytes,
        traces,
        spans,
        oldest,
        ..
    } = store.stats();
    assert_eq!((bytes, traces, spans, oldest), (0, 0, 0, None));
    assert!(store.services().is_empty() && store.operations("a").is_empty());
    assert!(store.trace(TraceId(1)).is_none());
    assert!(ids(&store, Filter::default()).is_empty());
    assert!(ids(&store, of("a", "b")).is_empty());
}

#[test]
fn spans_of_one_trace_meet_whenever_they_come() {
    let store = Store::new(1 << 20);
    store.append(
        &origin("front"),
        &[head(1, 1, "a", NOON), head(2, 2, "b", NOON)],
    );
    store.append(&origin("back"), &[head(1, 3, "ccc", NOON + 5)]);
    let trace = store.trace(TraceId(1)).unwrap();
    let spans: Vec<_> = trace
        .spans()
        .map(|span| {
            (
                span.row.span_id.0,
                &*span.origin.service,
                span.operation,
                span.raw,
            )
        })
        .collect();
    assert_eq!(
        spans,
        [(1, "front", "a", &b"a"[..]), (3, "back", "ccc", b"ccc")]
    );
    assert_eq!(store.services(), ["back", "front"]);
    assert_eq!(ids(&store, of("front", "")), [2, 1]);
    assert_eq!(ids(&store, of("back", "")), [1]);
    assert_eq!(ids(&store, of("back", "a")), [] as [u128; 0]);
    assert_eq!(ids(&store, of("", "a")), [1]);
}

#[test]
fn every_predicate_holds_for_the_same_span() {
    let store = Store::new(1 << 20);
    let mut slow = head(1, 1, "slow", NOON);
    slow.end = NOON + 9_000;
    slow.status = 2;
    store.append(&origin("a"), &[slow, head(1, 2, "quick", NOON)]);
    let filter = |operation: &str, change: fn(&mut Filter)| {
        let mut filter = of("a", operation);
        change(&mut filter);
        ids(&store, filter).len()
    };
    assert_eq!(filter("slow", |f| f.duration = (5_000, 10_000)), 1);
    assert_eq!(filter("quick", |f| f.duration = (5_000, 10_000)), 0);
    assert_eq!(filter("quick", |f| f.error = Some(true)), 0);
    assert_eq!(filter("quick", |f| f.error = Some(false)), 1);
    assert_eq!(filter("slow", |f| f.status = Some(2)), 1);
    assert_eq!(filter("slow", |f| f.kind = Some(3)), 0);
    assert_eq!(filter("", |f| f.start = (NOON, NOON)), 1);
    assert_eq!(filter("", |f| f.start = (NOON + 1, u64::MAX)), 0);
}

#[test]
fn the_oldest_goes_first_and_leaves_no_name_behind() {
    let store = Store::new(64 << 10);
    store.append(&origin("first"), &[head(1, 1, "gone", NOON)]);
    let before = store.trace(TraceId(1)).unwrap();
    let blob = "x".repeat(900);
    for trace in 2..200 {
        store.append(&origin("then"), &[head(trace, 1, &blob, NOON)]);
    }
    let stats = store.stats();
    assert!(
        stats.bytes <= stats.limit && stats.evicted_traces > 100,
        "{stats:?}"
    );
    assert_eq!(stats.evicted_traces as usize + stats.traces, 199);
    assert_eq!(stats.evicted_spans as usize + stats.spans, 199);
    assert_eq!(store.services(), ["then"]);
    assert!(store.trace(TraceId(1)).is_none() && store.trace(TraceId(199)).is_some());
    let kept = ids(&store, Filter::default());
    let newest_first: Vec<_> = (200 - stats.traces as u128..200).rev().collect();
    assert_eq!(kept, newest_first);
    assert_eq!(
        before.span(0).unwrap().operation,
        "gone",
        "a reader keeps what it took"
    );
}

#[test]
fn a_runaway_trace_takes_no_more_than_its_share() {
    let store = Store::new(64 << 10);
    store.append(&origin("a"), &[head(1, 1, "quiet", NOON)]);
    let blob = "x".repeat(1_000);
    let mut refused = 0;
    for id in 1..500 {
        refused += store
            .append(&origin("b"), &[head(2, id, &blob, NOON)])
            .refused;
    }
    assert!(refused > 480, "{refused}");
    assert!(store.trace(TraceId(1)).is_some(), "the others stay");
    let huge = "x".repeat(9 << 10);
    assert_eq!(
        store
            .append(&origin("c"), &[head(3, 1, &huge, NOON)])
            .refused,
        1
    );
    assert_eq!(
        store
            .append(&origin(&huge), &[head(4, 1, "x", NOON)])
            .refused,
        1
    );
    assert_eq!(store.services(), ["a", "b"]);
}

#[test]
fn operations_come_with_the_kinds_of_their_spans() {
    let store = Store::new(1 << 20);
    let mut client = head(1, 2, "get", NOON);
    client.kind = 3;
    let mut unspecified = head(1, 3, "do", NOON);
    unspecified.kind = 0;
    store.append(
        &origin("a/b"),
        &[head(1, 1, "get", NOON), client, unspecified],
    );
    let operations: Vec<_> = store
        .operations("a/b")
        .into_iter()
        .map(|operation| (operation.name, operation.kind))
        .collect();
    assert_eq!(
        operations,
        [
            ("do".to_owned(), 0),
            ("get".to_owned(), 2),
            ("get".to_owned(), 3)
        ]
    );
}

/// Random traffic: many services, late spans, long names, bursts. After each batch the bytes are
/// within the limit, and what is kept is exactly the newest of what was given.
#[test]
fn bytes_never_pass_the_limit_and_indexes_stay_true() {
    for (seed, limit) in [(1, 16 << 10), (2, 64 << 10), (3, 256 << 10), (4, 1 << 20)] {
        let store = Store::new(limit);
        let mut noise = Noise(seed);
        let mut given: BTreeMap<u128, Vec<(String, String, u64)>> = BTreeMap::new();
        let mut order: Vec<u128> = Vec::new();
        let mut time = NOON;
        for _ in 0..3_000 {
            time += noise.below(2_000_000);
            let service = format!("service-{}", noise.below(9));
            let mut batch = Vec::new();
            for _ in 0..=noise.below(6) {
                let newest = order.len() as u64;
                let late = noise.below(4) == 0 && newest > 0;
                let trace = if late {
                    newest - noise.below(newest.min(40))
                } else {
                    newest + 1
                };
                let name = match noise.below(8) {
                    0 => format!("unique-{}", noise.next()),
                    1 => "long".repeat(1 + noise.below(60) as usize),
                    _ => format!("operation-{}", noise.below(20)),
                };
                batch.push((u128::from(trace), name, time - noise.below(5_000_000)));
                if !late {
                    order.push(u128::from(trace));
                }
            }
            let heads: Vec<_> = batch
                .iter()
                .map(|(trace, name, start)| head(*trace, 1, name, *start))
                .collect();
            let appended = store.append(&origin(&service), &heads);
            assert_eq!((appended.accepted, appended.refused), (heads.len(), 0));
            for (trace, name, start) in batch {
                given
                    .entry(trace)
                    .or_default()
                    .push((service.clone(), name, start));
            }
            let stats = store.stats();
            assert!(stats.bytes <= limit, "{stats:?}");
        }
        // Traces whose every span came after their eviction started anew; those that are kept
        // hold the tail of what was given.
        let kept = ids(&store, Filter::default());
        assert_eq!(kept.len(), store.stats().traces);
        let mut by_service: BTreeMap<String, Vec<u128>> = BTreeMap::new();
        for id in &kept {
            let snapshot = store.trace(TraceId(*id)).unwrap();
            let spans: Vec<_> = snapshot
                .spans()
                .map(|span| {
                    (
                        span.origin.service.to_string(),
                        span.operation.to_owned(),
                        span.row.start,
                    )
                })
                .collect();
            assert!(
                given[id].ends_with(&spans),
                "trace {id} is not the tail of what was given"
            );
            for (service, ..) in spans {
                let of = by_service.entry(service).or_default();
                if of.last() != Some(id) {
                    of.push(*id);
                }
            }
        }
        assert_eq!(
            store.services(),
            by_service.keys().cloned().collect::<Vec<_>>()
        );
        for (service, expected) in &by_service {
            assert_eq!(ids(&store, of(service, "")), *expected);
            for operation in store.operations(service) {
                let filter = of(service, &operation.name);
                let expected = kept.iter().copied().filter(|id| {
                    store.trace(TraceId(*id)).unwrap().spans().any(|span| {
                        *span.origin.service == **service && span.operation == operation.name
                    })
                });
                assert_eq!(ids(&store, filter), expected.collect::<Vec<_>>());
            }
        }
        let middle = time - 400_000_000;
        let window = Filter {
            start: (middle, middle + 50_000_000),
            ..Filter::default()
        };
        let expected = kept.iter().copied().filter(|id| {
            let starts =
                |span: StoredSpan<'_>| (window.start.0..=window.start.1).contains(&span.row.start);
            store.trace(TraceId(*id)).unwrap().spans().any(starts)
        });
        assert_eq!(ids(&store, window.clone()), expected.collect::<Vec<_>>());
    }
}

#[test]
fn the_cost_of_a_span_is_small() {
    let store = Store::new(64 << 20);
    let raw = "s".repeat(300);
    let spans = 100_000;
    for trace in 0..spans / 8 {
        let heads: Vec<_> = (1..=8)
            .map(|id| {
                let head = head(trace + 1, id, "GET /api/products", NOON);
                SpanHead {
                    raw: raw.as_bytes(),
                    ..head
                }
            })
            .collect();
        store.append(&origin("catalog"), &heads);
    }
    let stats = store.stats();
    assert_eq!(stats.spans, spans as usize);
    let overhead = stats.bytes as f64 / stats.spans as f64 - raw.len() as f64;
    assert!(overhead < 90.0, "{overhead} bytes a span beside its own");
}

#[test]
fn a_reader_keeps_what_it_took_while_the_trace_grows() {
    let store = Store::new(1 << 20);
    store.append(&origin("a"), &[head(1, 1, "first", NOON)]);
    let alone = store.stats().bytes;
    let taken = store.trace(TraceId(1)).unwrap();
    store.append(&origin("b"), &[head(1, 2, "second", NOON)]);
    assert_eq!(
        (taken.len(), store.trace(TraceId(1)).unwrap().len()),
        (1, 2)
    );
    assert_eq!(taken.span(0).unwrap().raw, b"first");
    assert!(store.stats().bytes > alone);
}

/// Writers and readers at once: every answer is whole, and the sums agree at the end.
#[test]
fn searches_run_beside_ingest() {
    let store = Store::new(256 << 10);
    let per_writer = 3_000u64;
    std::thread::scope(|scope| {
        for writer in 0..3u64 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..per_writer {
                    let trace = u128::from(writer) << 64 | u128::from(number + 1);
                    let heads = [
                        head(trace, 1, "a", NOON + number),
                        head(trace, 2, "b", NOON),
                    ];
                    store.append(&origin(&format!("service-{writer}")), &heads);
                }
            });
        }
        for reader in 0..2u64 {
            let store = &store;
            scope.spawn(move || {
                for _ in 0..60 {
                    let mut found = store.find(of(&format!("service-{reader}"), ""));
                    while let Some(snapshot) = found.next_where(|span| span.row.span_id.0 == 2) {
                        assert_eq!(snapshot.spans().count(), 2);
                    }
                    assert!(store.stats().bytes <= 256 << 10);
                }
            });
        }
    });
    let stats = store.stats();
    assert_eq!(stats.evicted_spans + stats.spans as u64, 3 * 2 * per_writer);
    assert_eq!(ids(&store, Filter::default()).len(), stats.traces);
}
