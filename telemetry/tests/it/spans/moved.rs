//! What programs do to spans besides entering and leaving them.

use super::recorded;
use crate::instrument::{call, subscribed};
use std::panic::AssertUnwindSafe;
use std::sync::Barrier;
use telemetry::context;
use telemetry::testing::Tree;
use tracing::{Dispatch, Instrument, dispatcher, info_span};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;

#[test]
fn spans_move_between_threads_and_live_on_several() {
    let spans = recorded(|_| {
        let span = info_span!("shared");
        let dispatch = dispatcher::get_default(Clone::clone);
        let both = Barrier::new(2);
        let inside = || {
            dispatcher::with_default(&dispatch, || {
                let _entered = span.enter();
                both.wait();
                let seen = context::current().unwrap();
                drop(info_span!("below"));
                both.wait();
                seen
            })
        };
        std::thread::scope(|scope| {
            let one = scope.spawn(inside);
            let two = scope.spawn(inside);
            assert_eq!(one.join().unwrap(), two.join().unwrap());
        });
        let moved = info_span!("moved");
        std::thread::spawn(move || {
            moved.in_scope(|| assert!(context::current().is_some()));
            assert_eq!(context::current(), None);
        })
        .join()
        .unwrap();
        assert_eq!(context::current(), None);
    });
    let shared = spans.named("shared").span_id;
    let below = spans.0.iter().filter(|span| span.name == "below");
    assert!(
        below
            .clone()
            .all(|span| span.parent_span_id == Some(shared))
    );
    assert_eq!(below.count(), 2);
    assert_eq!(spans.named("moved").parent_span_id, None);
}

#[test]
fn spans_may_be_entered_twice_and_left_in_any_order() {
    let spans = recorded(|_| {
        let ids = || context::current().map(|current| current.span_id);
        let (one, two, none) = (info_span!("one"), info_span!("two"), tracing::Span::none());
        let a = one.enter();
        let one_id = ids();
        let b = two.enter();
        let two_id = ids();
        let nothing = none.enter();
        let c = one.enter();
        assert_eq!(ids(), one_id);
        drop(c);
        assert_eq!(ids(), two_id);
        drop(a);
        drop(nothing);
        assert_eq!(ids(), two_id);
        drop(b);
        assert_eq!(ids(), None);
    });
    assert_eq!(spans.0.len(), 2);
}

#[test]
fn a_panic_leaves_no_span_behind() {
    let spans = recorded(|_| {
        let outer = info_span!("outer").entered();
        let before = context::current();
        let boom = async { panic!("boom") }.instrument(info_span!("inner"));
        let caught = std::panic::catch_unwind(AssertUnwindSafe(|| {
            futures_util::FutureExt::now_or_never(boom)
        }));
        assert!(caught.is_err());
        assert_eq!(context::current(), before);
        drop(outer);
        assert_eq!(context::current(), None);
    });
    let outer = spans.named("outer").span_id;
    assert_eq!(spans.named("inner").parent_span_id, Some(outer));
}

/// The ids of two subscribers' spans are the same, and their layers share the thread.
#[test]
fn dispatchers_do_not_mix_up_spans() {
    let spans = recorded(|telemetry| {
        let other = Dispatch::new(Registry::default().with(telemetry.layer()));
        let ids = || context::current().map(|current| current.span_id);
        let outer = info_span!("outer");
        let first = outer.enter();
        let outer_id = ids();
        let inner = dispatcher::with_default(&other, || info_span!("inner"));
        assert_eq!(outer.id(), inner.id(), "the ids differ: a test of nothing");
        let second = inner.enter();
        let inner_id = ids();
        assert_ne!(outer_id, inner_id);
        drop(first);
        assert_eq!(ids(), inner_id);
        drop(second);
        assert_eq!(ids(), None);
    });
    Tree::one(spans.0).assert_shape("work outer\n  work inner");
}

#[tokio::test]
async fn a_span_left_open_at_the_end_of_its_request_still_ends() {
    let (telemetry, collector) = subscribed("work");
    call(&telemetry, || async {
        let span = info_span!("background");
        std::thread::spawn(move || drop(span)).join().unwrap();
    })
    .await;
    Tree::one(collector.spans().await).assert_shape("work GET /work\n  work background");
}
