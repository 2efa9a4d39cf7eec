//! The spans of a trace as a tree: who called whom, in order of time.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::fetch::{Span, Trace};

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
    /// Server of a request, or something else that another service can see.
    kind: String,
    children: usize,
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
        let known: HashSet<&str> = trace
            .spans
            .iter()
            .map(|span| span.span_id.as_str())
            .collect();
        let mut children: BTreeMap<&str, Vec<&Span>> = BTreeMap::new();
        let mut roots = Vec::new();
        for span in &trace.spans {
            match parent(trace, span) {
                Some(parent) if known.contains(parent) && parent != span.span_id => {
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
        let end = trace
            .spans
            .iter()
            .map(|span| span.start_time + span.duration)
            .max();
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
            tree.push(trace, span, depth, begin, below.len());
            open.extend(below.iter().rev().map(|child| (depth + 1, *child)));
        }
        tree
    }

    fn push(&mut self, trace: &Trace, span: &Span, depth: usize, begin: u64, children: usize) {
        let service = trace
            .processes
            .get(&span.process_id)
            .map_or_else(|| "?".to_owned(), |process| process.service_name.clone());
        if !self.services.contains(&service) {
            self.services.push(service.clone());
        }
        let tags: HashMap<&str, &Value> = span
            .tags
            .iter()
            .map(|tag| (tag.key.as_str(), &tag.value))
            .collect();
        self.rows.push(Row {
            depth,
            service,
            operation: span.operation_name.clone(),
            start: span.start_time - begin,
            duration: span.duration,
            error: error(&tags),
            orphan: depth == 0 && parent(trace, span).is_some(),
            kind: tags
                .get("span.kind")
                .and_then(|kind| kind.as_str())
                .unwrap_or_default()
                .into(),
            children,
        });
    }

    pub(crate) fn errors(&self) -> usize {
        self.rows.iter().filter(|row| row.error.is_some()).count()
    }

    pub(crate) fn orphans(&self) -> usize {
        self.rows.iter().filter(|row| row.orphan).count()
    }

    /// One root, nobody's parent missing, and every call has its answering side. A call that
    /// failed, or to somebody who is not traced, has none: what waits for this has its bound.
    pub(crate) fn complete(&self) -> bool {
        let roots = self.rows.iter().filter(|row| row.depth == 0).count();
        let unanswered = |row: &Row| row.kind == "client" && row.children == 0;
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

fn parent<'a>(trace: &Trace, span: &'a Span) -> Option<&'a str> {
    span.references
        .iter()
        .find(|reference| reference.ref_type == "CHILD_OF" && reference.trace_id == trace.trace_id)
        .map(|reference| reference.span_id.as_str())
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
        assert!(tree.complete());
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
        assert!(of(vec![root.clone()]).complete());
        assert!(!of(vec![root.clone(), call]).complete());
        let with_orphan = of(vec![root, orphan]);
        assert_eq!(with_orphan.orphans(), 1);
        assert!(!with_orphan.complete());
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
