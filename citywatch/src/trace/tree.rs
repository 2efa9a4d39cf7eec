//! The spans of a trace as a tree: who called whom, in order of time.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::fetch::{Reference, Span, Trace};

const CHILD_OF: &str = "CHILD_OF";
/// Microseconds: far more than a consumer's next look at its feed, and the way of its span here.
const CONSUMED_WITHIN: u64 = 2_000_000;

/// One row of the waterfall.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) depth: usize,
    pub(crate) service: String,
    pub(crate) operation: String,
    /// Microseconds since the trace began.
    pub(crate) start: u64,
    pub(crate) duration: u64,
    /// `500`, `timeout`, `error`: why it is marked.
    pub(crate) error: Option<String>,
    /// Its parent is not in the trace.
    pub(crate) orphan: bool,
    /// For how long what a consumer takes lay in a queue, up to the start; microseconds.
    pub(crate) queued: Option<u64>,
    /// Spans, other than the parent, that it is linked to.
    pub(crate) links: Vec<Link>,
    /// Server of a request, or something else that another service can see.
    kind: String,
    children: usize,
    /// When it ended, microseconds since 1970.
    end: u64,
}

/// A span that another is linked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// One of the same trace, by its service and operation.
    Here(String),
    /// One of another trace, or one that has not come in.
    Elsewhere { trace_id: String, span_id: String },
}

#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) trace_id: String,
    pub(crate) rows: Vec<Row>,
    /// Microseconds from the first start to the last end.
    pub(crate) duration: u64,
    /// Services in order of appearance.
    pub(crate) services: Vec<String>,
}

impl Tree {
    pub(crate) fn new(trace: &Trace) -> Self {
        let known: HashMap<&str, &Span> = trace
            .spans
            .iter()
            .map(|span| (span.span_id.as_str(), span))
            .collect();
        let mut children: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
        let mut roots = Vec::new();
        for span in &trace.spans {
            match parent(trace, span) {
                Some(parent) if known.contains_key(parent) && parent != span.span_id => {
                    children.entry(parent).or_default().push(span);
                }
                _ => roots.push(span),
            }
        }
        let by_time = |span: &&Span| (span.start_time, span.span_id.clone());
        roots.sort_by_key(by_time);
        for siblings in children.values_mut() {
            siblings.sort_by_key(by_time);
        }
        let begin = trace
            .spans
            .iter()
            .map(|span| span.start_time)
            .min()
            .unwrap_or_default();
        let end = trace.spans.iter().map(Span::end).max();
        let mut tree = Self {
            trace_id: trace.trace_id.clone(),
            rows: Vec::with_capacity(trace.spans.len()),
            duration: end.unwrap_or_default().saturating_sub(begin),
            services: Vec::new(),
        };
        // Its own stack: a trace may be deeper than this thread's.
        let mut open: Vec<(usize, &Span)> = roots.iter().rev().map(|span| (0, *span)).collect();
        while let Some((depth, span)) = open.pop() {
            let below = children
                .get(span.span_id.as_str())
                .map_or(&[][..], Vec::as_slice);
            tree.push(trace, &known, span, depth, begin, below.len());
            open.extend(below.iter().rev().map(|child| (depth + 1, *child)));
        }
        tree
    }

    fn push(
        &mut self,
        trace: &Trace,
        known: &HashMap<&str, &Span>,
        span: &Span,
        depth: usize,
        begin: u64,
        children: usize,
    ) {
        let service = service(trace, span).to_owned();
        if !self.services.contains(&service) {
            self.services.push(service.clone());
        }
        let tags: HashMap<&str, &Value> = span
            .tags
            .iter()
            .map(|tag| (tag.key.as_str(), &tag.value))
            .collect();
        let kind = tags.get("span.kind").and_then(|kind| kind.as_str());
        let kind = kind.unwrap_or_default();
        self.rows.push(Row {
            depth,
            service,
            operation: span.operation_name.clone(),
            start: span.start_time - begin,
            duration: span.duration,
            error: error(&tags),
            orphan: depth == 0 && parent(trace, span).is_some(),
            queued: (kind == "consumer")
                .then(|| queued(trace, known, span))
                .flatten(),
            links: links(trace, known, span),
            kind: kind.into(),
            children,
            end: span.end(),
        });
    }

    pub(crate) fn errors(&self) -> usize {
        self.rows.iter().filter(|row| row.error.is_some()).count()
    }

    pub(crate) fn orphans(&self) -> usize {
        self.rows.iter().filter(|row| row.orphan).count()
    }

    /// One root, nobody's parent missing, and every call has its answering side. A call that
    /// failed, or to somebody who is not traced, has none: what waits for this has its bound. What
    /// was published may have no consumer: of one that has not shown itself [`CONSUMED_WITHIN`] of
    /// the sending, by `now` in microseconds since 1970, nobody knows.
    pub(crate) fn complete(&self, now: u64) -> bool {
        let roots = self.rows.iter().filter(|row| row.depth == 0).count();
        let is_awaited = |row: &Row| match row.kind.as_str() {
            "client" => true,
            "producer" => now < row.end + CONSUMED_WITHIN,
            _ => false,
        };
        let unanswered = |row: &Row| row.children == 0 && is_awaited(row);
        roots == 1 && self.orphans() == 0 && !self.rows.iter().any(unanswered)
    }

    /// Index of a service, for its colour.
    pub(crate) fn hue(&self, service: &str) -> usize {
        self.services
            .iter()
            .position(|known| known == service)
            .unwrap_or_default()
    }
}

/// A link to the parent stands in for the parent: Jaeger's model has one word for both.
fn parent<'a>(trace: &Trace, span: &'a Span) -> Option<&'a str> {
    let mut here = span.references.iter();
    let mut here = here.by_ref().filter(|one| one.trace_id == trace.trace_id);
    let first = here.next()?;
    let parent = here.find(|one| first.ref_type != CHILD_OF && one.ref_type == CHILD_OF);
    Some(parent.unwrap_or(first).span_id.as_str())
}

fn service<'a>(trace: &'a Trace, span: &Span) -> &'a str {
    let process = trace.processes.get(&span.process_id);
    process.map_or("?", |process| process.service_name.as_str())
}

/// From the end of the span that sent what this one takes, its parent or else the linked span that
/// ended first, to its start.
fn queued(trace: &Trace, known: &HashMap<&str, &Span>, span: &Span) -> Option<u64> {
    let find = |id: &str| known.get(id).filter(|other| other.span_id != span.span_id);
    let sent = parent(trace, span).and_then(find).map(|sent| sent.end());
    let linked = || {
        let here = span.references.iter();
        let here = here.filter(|one| one.trace_id == trace.trace_id);
        here.filter_map(|one| find(&one.span_id).map(|sent| sent.end()))
            .min()
    };
    let queued = span.start_time.checked_sub(sent.or_else(linked)?)?;
    (queued > 0).then_some(queued)
}

fn links(trace: &Trace, known: &HashMap<&str, &Span>, span: &Span) -> Vec<Link> {
    let parent = parent(trace, span);
    let linked = span
        .references
        .iter()
        .filter(|one| one.ref_type != CHILD_OF);
    let linked =
        linked.filter(|one| one.trace_id != trace.trace_id || parent != Some(&*one.span_id));
    let link = |one: &Reference| match known.get(one.span_id.as_str()) {
        Some(other) if one.trace_id == trace.trace_id => Link::Here(format!(
            "{} {}",
            service(trace, other),
            other.operation_name
        )),
        _ => Link::Elsewhere {
            trace_id: one.trace_id.clone(),
            span_id: one.span_id.clone(),
        },
    };
    linked.map(link).collect()
}

fn error(tags: &HashMap<&str, &Value>) -> Option<String> {
    let failed = tags
        .get("error")
        .is_some_and(|value| value.as_bool() == Some(true) || value.as_str() == Some("true"));
    if !failed {
        return None;
    }
    let named = tags
        .get("error.type")
        .or_else(|| tags.get("http.response.status_code"));
    Some(match named {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "error".to_owned(),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    /// When everything has ended long ago.
    const LATER: u64 = 1_000_000_000;

    /// An order is confirmed; shipping takes that 40 ms later, as does a batch of notifications,
    /// which is its own and linked to the message and to another trace.
    pub(crate) fn queued_example() -> Tree {
        let linked = |mut span: Value, trace_id: &str, to: &str| {
            let link = json!({"refType": "FOLLOWS_FROM", "traceID": trace_id, "spanID": to});
            span["references"].as_array_mut().unwrap().push(link);
            span
        };
        let process = |id, parent, start, duration, process| {
            span(
                id,
                "process orders",
                parent,
                start,
                duration,
                process,
                "consumer",
                false,
            )
        };
        let batch = process("e", Some("a"), 80_000, 20_000, "p3");
        Tree::new(&trace(&json!({
            "traceID": ID,
            "spans": [
                span("a", "POST /api/orders", None, 0, 9_000, "p1", "server", false),
                span("b", "publish orders", Some("a"), 7_000, 1_000, "p1", "producer", false),
                // What the observatory makes of a parent that is linked to as well.
                linked(process("c", None, 48_000, 12_000, "p2"), ID, "b"),
                linked(linked(batch, ID, "b"), OTHER, "7"),
            ],
            "processes": {
                "p1": {"serviceName": "orders"},
                "p2": {"serviceName": "shipping"},
                "p3": {"serviceName": "notifications"},
            },
        })))
    }

    const ID: &str = "0af7651916cd43dd8448eb211c80319c";
    const OTHER: &str = "83a9efd15c1c98a977e0711cc93ee28b";

    #[test]
    fn a_consumer_hangs_on_its_message_and_has_waited_since() {
        let tree = queued_example();
        let rows: Vec<_> = tree
            .rows
            .iter()
            .map(|row| (row.depth, row.service.as_str(), row.queued))
            .collect();
        assert_eq!(
            rows,
            [
                (0, "orders", None),
                (1, "orders", None),
                (2, "shipping", Some(40_000)),
                // Its parent, which it names, ended at 9 ms.
                (1, "notifications", Some(71_000)),
            ]
        );
        assert!(tree.rows[2].links.is_empty(), "its place says it");
        let elsewhere = Link::Elsewhere {
            trace_id: OTHER.to_owned(),
            span_id: "7".to_owned(),
        };
        let links = [Link::Here("orders publish orders".to_owned()), elsewhere];
        assert_eq!(tree.rows[3].links, links);
        assert_eq!((tree.orphans(), tree.complete(LATER)), (0, true));
    }

    #[test]
    fn a_consumer_that_is_not_there_yet_is_waited_for_a_while() {
        let sent = span(
            "b",
            "publish orders",
            None,
            7_000,
            1_000,
            "p1",
            "producer",
            false,
        );
        let tree = Tree::new(&trace(&json!({"traceID": ID, "spans": [sent],
            "processes": {"p1": {"serviceName": "orders"}}})));
        assert!(!tree.complete(8_000));
        assert!(!tree.complete(8_000 + CONSUMED_WITHIN - 1));
        assert!(tree.complete(8_000 + CONSUMED_WITHIN));
    }

    /// The gateway calls users and catalog; catalog fails.
    pub(crate) fn example() -> Tree {
        Tree::new(&trace(&json!({
            "traceID": "0af7651916cd43dd8448eb211c80319c",
            "spans": [
                span("c", "GET /api/products", Some("b"), 2_000, 7_000, "p2", "server", true),
                span("a", "GET /api/products", None, 1_000, 10_000, "p1", "server", false),
                span("b", "GET", Some("a"), 1_500, 9_000, "p1", "client", false),
            ],
            "processes": {
                "p1": {"serviceName": "gateway", "tags": []},
                "p2": {"serviceName": "catalog", "tags": []},
            },
        })))
    }

    fn trace(value: &Value) -> Trace {
        Trace::deserialize(value).unwrap()
    }

    #[allow(clippy::too_many_arguments)] // a table's columns
    fn span(
        id: &str,
        operation: &str,
        parent: Option<&str>,
        start: u64,
        duration: u64,
        process: &str,
        kind: &str,
        failed: bool,
    ) -> Value {
        let trace_id = "0af7651916cd43dd8448eb211c80319c";
        let references: Vec<Value> = parent
            .map(|id| json!({"refType": "CHILD_OF", "traceID": trace_id, "spanID": id}))
            .into_iter()
            .collect();
        let mut tags = vec![json!({"key": "span.kind", "type": "string", "value": kind})];
        if failed {
            tags.push(json!({"key": "error", "type": "bool", "value": true}));
            tags.push(json!({"key": "error.type", "type": "string", "value": "500"}));
        }
        json!({
            "traceID": trace_id, "spanID": id, "operationName": operation,
            "references": references, "startTime": start, "duration": duration,
            "tags": tags, "logs": [], "processID": process, "warnings": null,
        })
    }

    #[test]
    fn spans_become_rows_in_calling_order() {
        let tree = example();
        let rows: Vec<_> = tree
            .rows
            .iter()
            .map(|row| {
                (
                    row.depth,
                    row.service.as_str(),
                    row.start,
                    row.error.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                (0, "gateway", 0, None),
                (1, "gateway", 500, None),
                (2, "catalog", 1_000, Some("500"))
            ]
        );
        assert_eq!(
            (tree.duration, tree.errors(), tree.orphans()),
            (10_000, 1, 0)
        );
        assert!(tree.complete(LATER));
    }

    #[test]
    fn a_trace_with_a_missing_parent_or_answer_is_not_complete() {
        let processes = json!({"p1": {"serviceName": "gateway"}});
        let of = |spans: Vec<Value>| {
            Tree::new(&trace(
                &json!({"traceID": "0af7651916cd43dd8448eb211c80319c",
                "spans": spans, "processes": processes}),
            ))
        };
        let root = span("a", "GET /", None, 1, 9, "p1", "server", false);
        let call = span("b", "GET", Some("a"), 2, 5, "p1", "client", false);
        let orphan = span("d", "GET /", Some("lost"), 3, 4, "p1", "server", false);
        assert!(of(vec![root.clone()]).complete(LATER));
        assert!(!of(vec![root.clone(), call]).complete(LATER));
        let with_orphan = of(vec![root, orphan]);
        assert_eq!(with_orphan.orphans(), 1);
        assert!(!with_orphan.complete(LATER));
    }

    #[test]
    fn a_deep_chain_is_no_danger() {
        let count = 50_000;
        let spans = (0..count)
            .map(|i| {
                let parent = (i > 0).then(|| format!("{:x}", i - 1));
                span(
                    &format!("{i:x}"),
                    "op",
                    parent.as_deref(),
                    i,
                    1,
                    "p1",
                    "internal",
                    false,
                )
            })
            .collect::<Vec<_>>();
        let tree = Tree::new(&trace(&json!({
            "traceID": "0af7651916cd43dd8448eb211c80319c",
            "spans": spans, "processes": {"p1": {"serviceName": "deep"}},
        })));
        assert_eq!(tree.rows.last().unwrap().depth, 49_999);
    }
}
