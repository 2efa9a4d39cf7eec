//! One order, from the door of the city to the last who hears of it: one trace, in which every wait
//! between a commit and its effect is told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::harness::{City, trace_id, within};
use super::{FOLLOWS, QUICK_PARCELS};

/// Who has a part in an order, before the answer and after it.
pub(crate) const SERVICES: [&str; 9] = [
    "cart",
    "catalog",
    "gateway",
    "inventory",
    "notifications",
    "orders",
    "payments",
    "recommendations",
    "shipping",
];

/// Who takes what of an order, and from whom.
const TAKEN: [(&str, &str, &str); 7] = [
    ("shipping", "orders", "orders.OrderConfirmed.v1"),
    ("notifications", "orders", "orders.OrderConfirmed.v1"),
    ("recommendations", "orders", "orders.OrderConfirmed.v1"),
    ("orders", "shipping", "shipping.ShipmentDispatched.v1"),
    ("orders", "shipping", "shipping.ShipmentDelivered.v1"),
    (
        "notifications",
        "shipping",
        "shipping.ShipmentDispatched.v1",
    ),
    ("notifications", "shipping", "shipping.ShipmentDelivered.v1"),
];

/// A span, as far as a test asks of it.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    id: String,
    pub(crate) service: String,
    operation: String,
    start: u64,
    parent: Option<String>,
    /// Spans that it follows from.
    links: Vec<String>,
    pub(crate) tags: BTreeMap<String, Value>,
    /// Names of what happened during it.
    pub(crate) events: Vec<String>,
}

impl City {
    /// The spans of a trace, as the observatory has them, or Jaeger.
    pub(crate) async fn spans_of(&self, tool: &str, id: &str) -> Vec<Span> {
        let url = format!("{}/api/traces/{id}", self.address(tool));
        let Ok(answer) = self.http.get(url).send().await else {
            return Vec::new();
        };
        let answer: Value = answer.json().await.unwrap_or_default();
        let trace = &answer["data"][0];
        let spans = trace["spans"].as_array().into_iter().flatten();
        spans.map(|span| read(trace, span)).collect()
    }
}

fn read(trace: &Value, span: &Value) -> Span {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let process = &trace["processes"][text(&span["processID"])];
    let references = span["references"].as_array().into_iter().flatten();
    let here = |reference: &&Value| reference["traceID"] == span["traceID"];
    let here: Vec<&Value> = references.filter(here).collect();
    let follows = here.iter().filter(|one| one["refType"] == "FOLLOWS_FROM");
    let tagged = |tags: &Value| -> BTreeMap<String, Value> {
        let tags = tags.as_array().into_iter().flatten();
        tags.map(|tag| (text(&tag["key"]), tag["value"].clone()))
            .collect()
    };
    let logs = span["logs"].as_array().into_iter().flatten();
    Span {
        id: text(&span["spanID"]),
        service: text(&process["serviceName"]),
        operation: text(&span["operationName"]),
        start: span["startTime"].as_u64().unwrap_or_default(),
        // By Jaeger's translation a parent comes first, and as a link if it is linked to as well.
        parent: here.first().map(|one| text(&one["spanID"])),
        links: follows.map(|one| text(&one["spanID"])).collect(),
        tags: tagged(&span["tags"]),
        events: logs
            .filter_map(|log| Some(text(tagged(&log["fields"]).get("event")?)))
            .collect(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_trace_to_the_last_who_hears_of_it() {
    let city = City::raise(&[], &QUICK_PARCELS).await;
    let token = city.member("mina@example.com").await;
    let product = city.products().await.remove(0);
    city.put_in_cart(&token, &product, 1).await;
    let answer = city.order(&token, "first", &json!({})).await.unwrap();
    let id = trace_id(&answer);
    let spans = whole(&city, "observatory", &id).await;
    the_waits_are_told(&spans);

    let services: BTreeSet<&str> = spans.iter().map(|span| span.service.as_str()).collect();
    assert_eq!(services, BTreeSet::from(SERVICES), "{spans:#?}");
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    let roots = spans.iter().filter(|span| span.parent.is_none());
    assert_eq!(roots.count(), 1, "{spans:#?}");
    for span in &spans {
        let parent = span.parent.as_deref();
        assert!(
            parent.is_none_or(|parent| ids.contains(parent)),
            "{span:#?}"
        );
    }
    let drawn = city.prints(&["trace", &id]).await;
    for told in ["publish orders", "process orders", "process shipping"] {
        assert!(drawn.contains(told), "{told}: {drawn}");
    }
    city.stop().await;
}

/// Waits until everybody's part is there, the last one's too.
pub(crate) async fn whole(city: &City, tool: &str, id: &str) -> Vec<Span> {
    let mut spans = Vec::new();
    let all = within(FOLLOWS, async || {
        spans = city.spans_of(tool, id).await;
        let there = |taken: &(&str, &str, &str)| consumed(&spans, taken).is_some();
        TAKEN.iter().all(there)
    });
    let all = all.await;
    let missing = TAKEN
        .iter()
        .filter(|taken| consumed(&spans, taken).is_none());
    let missing: Vec<_> = missing.collect();
    assert!(
        all.is_some(),
        "{id} lacks {missing:?}: {spans:#?}\n{}",
        city.said()
    );
    spans
}

fn consumed<'a>(spans: &'a [Span], (service, of, kind): &(&str, &str, &str)) -> Option<&'a Span> {
    let operation = format!("process {of}");
    spans.iter().find(|span| {
        span.service == *service
            && span.operation == operation
            && span.tags.get("citywatch.event.type") == Some(&json!(kind))
    })
}

/// Each consumer's span is a child of its event's publication and linked to it, begins after it,
/// and says how long the event has waited.
pub(crate) fn the_waits_are_told(spans: &[Span]) {
    for taken in TAKEN {
        let consumer = consumed(spans, &taken).unwrap();
        let parent = consumer.parent.as_deref().unwrap_or_default();
        let publication = spans.iter().find(|span| span.id == parent);
        let publication = publication.unwrap_or_else(|| panic!("{consumer:#?}: {spans:#?}"));
        assert_eq!(publication.service, taken.1, "{publication:#?}");
        assert_eq!(publication.operation, format!("publish {}", taken.1));
        assert!(
            publication.start <= consumer.start,
            "{publication:#?}\n{consumer:#?}"
        );
        assert!(consumer.links.contains(&publication.id), "{consumer:#?}");
        let kinds = [publication, consumer].map(|span| span.tags.get("span.kind").cloned());
        assert_eq!(kinds, [Some(json!("producer")), Some(json!("consumer"))]);
        let waited = consumer.tags.get("citywatch.event.queue_ms");
        let waited = waited.and_then(Value::as_i64);
        assert!(waited.is_some_and(|waited| waited >= 0), "{consumer:#?}");
        println!(
            "{} took {} after {} ms",
            taken.0,
            taken.2,
            waited.unwrap_or_default()
        );
    }
}
