//! What a test expects of a trace as a whole. Each failed expectation prints the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::span::{Span, Status};
use crate::context::SpanId;

/// The spans of one trace, each with its cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// By start, a parent before its children.
    spans: Vec<Span>,
    root: SpanId,
}

impl Tree {
    /// The one tree that all these spans are.
    ///
    /// # Panics
    /// If they belong to several traces, if there is not exactly one root, if a parent is
    /// missing or if a span was sent twice.
    #[must_use]
    #[track_caller]
    pub fn one(spans: Vec<Span>) -> Tree {
        Tree::build(spans, None).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// The one tree below a span that was not sent here, such as a test's own `traceparent`.
    ///
    /// # Panics
    /// As [`one`](Self::one).
    #[must_use]
    #[track_caller]
    pub fn under(parent: SpanId, spans: Vec<Span>) -> Tree {
        Tree::build(spans, Some(parent)).unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// One tree for each trace, in the order of their starts.
    ///
    /// # Panics
    /// If any of the traces is not one tree.
    #[must_use]
    #[track_caller]
    pub fn each(spans: Vec<Span>) -> Vec<Tree> {
        let mut traces: BTreeMap<_, Vec<Span>> = BTreeMap::new();
        for span in spans {
            traces.entry(span.trace_id).or_default().push(span);
        }
        let mut trees: Vec<Tree> = traces.into_values().map(Tree::one).collect();
        trees.sort_by_key(|tree| tree.root().start_nanos);
        trees
    }

    fn build(mut spans: Vec<Span>, outside: Option<SpanId>) -> Result<Tree, String> {
        spans.sort_by_key(|span| (span.start_nanos, span.span_id));
        let problem =
            |what: String, spans: &[Span]| Err(format!("{what}\n{}", Forest { spans, outside }));
        let traces: BTreeSet<_> = spans.iter().map(|span| span.trace_id).collect();
        if traces.len() != 1 {
            return problem(
                format!("expected one trace, there are {}", traces.len()),
                &spans,
            );
        }
        let ids: BTreeSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
        if ids.len() != spans.len() {
            return problem("a span was sent twice".to_owned(), &spans);
        }
        let missing = |span: &&Span| {
            span.parent_span_id
                .is_some_and(|id| Some(id) != outside && !ids.contains(&id))
        };
        if let Some(orphan) = spans.iter().find(missing) {
            return problem(
                format!("{} is an orphan: its parent was not sent", label(orphan)),
                &spans,
            );
        }
        let roots: Vec<&Span> = spans
            .iter()
            .filter(|span| span.parent_span_id == outside)
            .collect();
        let [root] = roots[..] else {
            return problem(
                format!("expected one root, there are {}", roots.len()),
                &spans,
            );
        };
        let root = root.span_id;
        let tree = Tree { spans, root };
        // Every span has a parent that is there; what cannot be reached is a circle.
        if tree.walk().len() != tree.spans.len() {
            return problem("spans are each other's ancestors".to_owned(), &tree.spans);
        }
        Ok(tree)
    }

    /// Every span, by start.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The span that all others come from.
    ///
    /// # Panics
    /// Never: a tree has a root.
    #[must_use]
    pub fn root(&self) -> &Span {
        let root = self.spans.iter().find(|span| span.span_id == self.root);
        root.unwrap_or_else(|| panic!("a tree without a root"))
    }

    /// The one span of this name; also `service name` where the name alone is not enough.
    ///
    /// # Panics
    /// If there is none, or more than one.
    #[must_use]
    #[track_caller]
    pub fn span(&self, name: &str) -> &Span {
        match self.named(name)[..] {
            [span] => span,
            ref found => panic!(
                "expected one span {name:?}, there are {}\n{self}",
                found.len()
            ),
        }
    }

    fn named(&self, name: &str) -> Vec<&Span> {
        self.spans
            .iter()
            .filter(|span| span.name == name || label(span) == name)
            .collect()
    }

    /// The spans that a span has caused, by start.
    #[must_use]
    pub fn children(&self, of: SpanId) -> Vec<&Span> {
        self.spans
            .iter()
            .filter(|span| span.parent_span_id == Some(of))
            .collect()
    }

    /// A span named `child` has a span named `parent` as its direct cause.
    ///
    /// # Panics
    /// If there is no such pair.
    #[track_caller]
    pub fn assert_edge(&self, parent: &str, child: &str) -> &Tree {
        let parents: BTreeSet<_> = self.named(parent).iter().map(|span| span.span_id).collect();
        let linked = |span: &&Span| span.parent_span_id.is_some_and(|id| parents.contains(&id));
        assert!(
            self.named(child).iter().any(linked),
            "expected {child:?} directly below {parent:?}\n{self}"
        );
        self
    }

    /// The tree has exactly this shape: one line `service name` for each span, the root first,
    /// each level two spaces deeper. How far the whole is indented does not count.
    ///
    /// # Panics
    /// If it has another shape.
    #[track_caller]
    pub fn assert_shape(&self, expected: &str) -> &Tree {
        let lines: Vec<&str> = expected
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect();
        let indent = |line: &&str| line.len() - line.trim_start().len();
        // The root is often on the line of the opening quote, without the others' indentation.
        let shared = lines.iter().skip(1).map(indent).min().unwrap_or(0);
        let expected: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(at, line)| match at {
                0 => line.trim().to_owned(),
                _ => format!("  {}", line[shared..].trim_end()),
            })
            .collect();
        let line = |(depth, span): &(usize, &Span)| format!("{:1$}{2}", "", 2 * depth, label(span));
        let shape: Vec<String> = self.walk().iter().map(line).collect();
        assert!(
            shape == expected,
            "expected\n{}\nthere is\n{self}",
            expected.join("\n")
        );
        self
    }

    /// No span of the tree ended with an error.
    ///
    /// # Panics
    /// If one did.
    #[track_caller]
    pub fn assert_no_error(&self) -> &Tree {
        let failed = self.spans.iter().find(|span| span.is_error());
        assert!(
            failed.is_none(),
            "{} failed\n{self}",
            failed.map(label).unwrap_or_default()
        );
        self
    }

    /// Every span with its depth, each followed by what it caused.
    fn walk(&self) -> Vec<(usize, &Span)> {
        let mut walk = Vec::new();
        let mut left = vec![(0, self.root())];
        while let Some((depth, span)) = left.pop() {
            walk.push((depth, span));
            let children = self.children(span.span_id);
            left.extend(children.into_iter().rev().map(|child| (depth + 1, child)));
        }
        walk
    }
}

fn label(span: &Span) -> String {
    format!("{} {}", span.service(), span.name)
}

fn write_line(f: &mut fmt::Formatter<'_>, depth: usize, span: &Span) -> fmt::Result {
    write!(f, "{:1$}{2}", "", 2 * depth, label(span))?;
    write!(
        f,
        "  ({}, {:.3} ms",
        span.kind,
        span.duration().as_secs_f64() * 1e3
    )?;
    match &span.status {
        Status::Error(message) if message.is_empty() => f.write_str(", error")?,
        Status::Error(message) => write!(f, ", error: {message}")?,
        Status::Unset | Status::Ok => {}
    }
    writeln!(
        f,
        ", {} < {})",
        span.span_id,
        span.parent_span_id.unwrap_or_default()
    )
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "trace {}", self.root().trace_id)?;
        self.walk()
            .into_iter()
            .try_for_each(|(depth, span)| write_line(f, depth, span))
    }
}

/// Spans that are no tree, as far as they can be drawn as some.
struct Forest<'a> {
    spans: &'a [Span],
    outside: Option<SpanId>,
}

impl fmt::Display for Forest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let there = |id: SpanId| self.spans.iter().any(|span| span.span_id == id);
        let mut drawn = BTreeSet::new();
        let tops = self
            .spans
            .iter()
            .filter(|span| !span.parent_span_id.is_some_and(there));
        // A circle has no top: what is still left is a top of its own.
        for top in tops.chain(self.spans) {
            if drawn.contains(&top.span_id) {
                continue;
            }
            let orphan = top
                .parent_span_id
                .is_some_and(|id| Some(id) != self.outside);
            let word = if orphan { " (orphan)" } else { "" };
            writeln!(f, "trace {}{word}", top.trace_id)?;
            let mut left = vec![(0, top)];
            while let Some((depth, span)) = left.pop() {
                if !drawn.insert(span.span_id) {
                    continue;
                }
                write_line(f, depth, span)?;
                let children = self
                    .spans
                    .iter()
                    .filter(|s| s.parent_span_id == Some(span.span_id));
                left.extend(children.rev().map(|child| (depth + 1, child)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::TraceId;
    use crate::testing::Value;

    fn span(service: &str, name: &str, id: u64, parent: u64) -> Span {
        Span {
            trace_id: TraceId(1),
            span_id: SpanId(id),
            parent_span_id: (parent != 0).then_some(SpanId(parent)),
            name: name.to_owned(),
            start_nanos: id,
            end_nanos: id + 1_000_000,
            resource: [("service.name".to_owned(), Value::from(service))].into(),
            ..Span::default()
        }
    }

    fn shop() -> Vec<Span> {
        vec![
            span("catalog", "GET /products", 3, 2),
            span("gateway", "GET /api/products", 1, 0),
            span("gateway", "GET", 2, 1),
            span("catalog", "search", 4, 3),
            span("catalog", "load", 5, 3),
        ]
    }

    fn problem(spans: Vec<Span>) -> String {
        Tree::build(spans, None).unwrap_err()
    }

    #[test]
    fn a_trace_is_compared_by_its_shape() {
        let tree = Tree::one(shop());
        tree.assert_shape(
            "gateway GET /api/products
               gateway GET
                 catalog GET /products
                   catalog search
                   catalog load",
        );
        tree.assert_edge("gateway GET", "GET /products")
            .assert_edge("GET /products", "load");
        assert_eq!(tree.span("gateway GET").span_id, SpanId(2));
        assert_eq!(tree.children(SpanId(3)).len(), 2);
    }

    #[test]
    #[should_panic(expected = "catalog search  (unspecified, 1.000 ms")]
    fn a_missing_edge_prints_the_tree() {
        Tree::one(shop()).assert_edge("search", "load");
    }

    #[test]
    fn what_is_no_tree_is_named_and_drawn() {
        let mut orphan = shop();
        orphan.push(span("users", "POST /users", 9, 8));
        let text = problem(orphan);
        assert!(text.starts_with("users POST /users is an orphan"), "{text}");
        assert!(text.contains("(orphan)\nusers POST /users"), "{text}");

        let mut roots = shop();
        roots.push(span("users", "POST /users", 9, 0));
        assert!(problem(roots).starts_with("expected one root, there are 2"));

        let mut twice = shop();
        twice.push(span("catalog", "load", 5, 3));
        assert!(problem(twice).starts_with("a span was sent twice"));

        let mut circle = shop();
        circle.extend([span("a", "x", 21, 22), span("a", "y", 22, 21)]);
        let text = problem(circle);
        assert!(
            text.starts_with("spans are each other's ancestors"),
            "{text}"
        );
        assert!(text.contains("a x") && text.contains("a y"), "{text}");

        assert!(problem(Vec::new()).starts_with("expected one trace, there are 0"));
    }

    #[test]
    fn a_parent_outside_is_no_orphan() {
        let spans = vec![span("catalog", "GET /products", 3, 2)];
        assert_eq!(Tree::under(SpanId(2), spans).root().span_id, SpanId(3));
    }
}
