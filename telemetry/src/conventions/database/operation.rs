//! One call of a database.

use super::{Database, Text, sanitize, summary};
use crate::context::InCurrent;
use crate::metrics::LabelValue;
use crate::span::encode::Kind;
use crate::span::handle::{Span, SpanBuilder};
use std::borrow::Cow;
use std::sync::Arc;

/// A call that is about to begin: see [`Database::operation`].
#[derive(Debug)]
#[must_use = "a call begins with `start`"]
pub struct OperationBuilder<'a> {
    database: &'a Database,
    name: &'static str,
    collection: &'static str,
    summary: Option<Summary>,
    query: Option<Query<'a>>,
    batch: Option<u64>,
}

/// Where `db.query.summary` comes from, if not from the statement.
#[derive(Debug, Clone, Copy)]
enum Summary {
    /// The operation and its collection are all there is to say.
    Operation,
    Given(&'static str),
}

#[derive(Debug, Clone, Copy)]
enum Query<'a> {
    /// Part of the program.
    Static(&'static str),
    Dynamic(&'a str),
}

impl<'a> OperationBuilder<'a> {
    pub(super) fn new(database: &'a Database, name: &'static str) -> OperationBuilder<'a> {
        OperationBuilder {
            database,
            name,
            collection: "",
            summary: None,
            query: None,
            batch: None,
        }
    }

    /// The one table or collection that the call is about: `db.collection.name`.
    pub fn collection(mut self, name: &'static str) -> Self {
        self.collection = name;
        self
    }

    /// What class of call it is, in few words: `db.query.summary`, and the span's name.
    pub fn summary(mut self, summary: &'static str) -> Self {
        self.summary = Some(Summary::Given(summary));
        self
    }

    /// The call does nothing beside the operation on its collection: that is its summary.
    pub fn summarised(mut self) -> Self {
        self.summary = Some(Summary::Operation);
        self
    }

    /// The statement, with placeholders for values: `db.query.text`. It is part of the program, so
    /// no value can be in it that came from elsewhere. Without another summary it gives one.
    pub fn query(mut self, text: &'static str) -> Self {
        self.query = Some(Query::Static(text));
        self
    }

    /// The same for a statement that is put together while the program runs: each value in it is
    /// shown as `?` (see [`sanitize`]), and its summary is no label of metrics.
    pub fn dynamic_query(mut self, text: &'a str) -> Self {
        self.query = Some(Query::Dynamic(text));
        self
    }

    /// The call sends this many operations together, as a batch of the database's. One alone is
    /// none.
    pub fn batch(mut self, size: u64) -> Self {
        self.batch = (size != 1).then_some(size);
        self
    }

    /// Begins the call, as a child of the current span.
    pub fn start(self) -> Operation {
        let about = &self.database.about;
        let operation = match (self.batch, self.name) {
            (None, name) => LabelValue::Static(name),
            (Some(_), name) => self.database.text(Text::Words("BATCH", name)).into(),
        };
        let known_summary = self.known_summary();
        let span = SpanBuilder::new(&self.database.core, Cow::Borrowed(""))
            .kind(Kind::Client)
            .within_traces_only(about.within_traces_only)
            .start();
        let mut started = Operation {
            database: self.database.clone(),
            operation,
            collection: self.collection,
            summary: known_summary,
            span,
            ended: false,
        };
        if started.span.is_recording() {
            self.describe(&mut started);
        }
        started
    }

    /// A summary that is the same each time.
    fn known_summary(&self) -> Option<Arc<str>> {
        let text = match (self.summary, self.query) {
            (Some(Summary::Given(summary)), _) => Text::Words(summary, ""),
            (Some(Summary::Operation), _) => Text::Words(self.name, self.collection),
            (None, Some(Query::Static(sql))) => Text::SummaryOf(sql),
            (None, _) => return None,
        };
        let text = self.database.text(text);
        match self.batch {
            Some(_) => Some(format!("BATCH {text}").trim_end().into()),
            None => Some(text).filter(|text| !text.is_empty()),
        }
    }

    /// Says of a span what is known when it begins.
    fn describe(&self, started: &mut Operation) {
        let about = &self.database.about;
        let own = match (&started.summary, self.query) {
            (None, Some(Query::Dynamic(sql))) => Some(summary(sql)).filter(|own| !own.is_empty()),
            _ => None,
        };
        let summary = started.summary.as_deref().or(own.as_deref());
        let span = &mut started.span;
        span.set_name(match summary {
            Some(summary) => summary.to_owned(),
            None => self.name_of(started.operation.as_text()),
        });
        span.push("db.system.name", about.system.name());
        let mut text = |key, value: &str| {
            if !value.is_empty() {
                span.push(key, value);
            }
        };
        text("db.namespace", &about.namespace);
        text("db.operation.name", started.operation.as_text());
        text("db.collection.name", self.collection);
        text("db.query.summary", summary.unwrap_or_default());
        match self.query {
            Some(Query::Static(sql)) => text("db.query.text", sql),
            Some(Query::Dynamic(sql)) => text("db.query.text", &sanitize(sql, about.system)),
            None => {}
        }
        if let Some(size) = self.batch {
            span.push("db.operation.batch.size", size);
        }
        about.server.describe(span);
    }

    /// The span's name where there is no summary.
    fn name_of(&self, operation: &str) -> String {
        let about = &self.database.about;
        let target = match (self.collection, &*about.namespace) {
            ("", "") => about.server.name(),
            ("", namespace) => Some(namespace.to_owned()),
            (collection, _) => Some(collection.to_owned()),
        };
        match (operation, target) {
            ("", None) => about.system.name().to_owned(),
            ("", Some(target)) => target,
            (operation, None) => operation.to_owned(),
            (operation, Some(target)) => format!("{operation} {target}"),
        }
    }
}

/// A call under way: its span, and `db.client.operation.duration` once it ends. Dropped before it
/// is told how it went, it counts as `cancelled`.
#[derive(Debug)]
pub struct Operation {
    database: Database,
    operation: LabelValue,
    collection: &'static str,
    summary: Option<Arc<str>>,
    span: Span,
    ended: bool,
}

impl Operation {
    /// The span, for attributes beyond the convention's.
    pub fn span(&mut self) -> &mut Span {
        &mut self.span
    }

    /// Runs a future with the call's span as the current one.
    pub fn in_scope<F: Future>(&self, future: F) -> InCurrent<F> {
        self.span.in_scope(future)
    }

    /// How many rows the call gave: `db.response.returned_rows`.
    pub fn returned_rows(&mut self, rows: u64) {
        self.span.push("db.response.returned_rows", rows);
    }

    /// The call went well.
    pub fn finish(mut self) {
        self.end(None, None);
    }

    /// The call failed before the database said anything, or the database has no codes:
    /// `error.type`, a word from a closed set.
    pub fn fail(mut self, error_type: &str) {
        self.end(None, Some(error_type));
    }

    /// The database said that the call failed: its code is `db.response.status_code` and
    /// `error.type`.
    pub fn fail_with_code(mut self, code: &str) {
        self.end(Some(code), Some(code));
    }

    fn end(&mut self, code: Option<&str>, error: Option<&str>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Some(code) = code {
            self.span.push("db.response.status_code", code);
        }
        if let Some(error) = error {
            self.span.set_error(error);
        }
        let (seconds, exemplar) = self.span.measure();
        let work = &self.database.core.metrics.work;
        let about = &self.database.about;
        let [address, port] = about.server.labels();
        let labels = [
            about.system.name().into(),
            Arc::clone(&about.namespace).into(),
            self.operation.clone(),
            self.collection.into(),
            self.summary
                .clone()
                .map_or_else(|| "".into(), LabelValue::Shared),
            address,
            port,
            work.word(code),
            work.word(error),
        ];
        work.database.record(&labels, seconds, exemplar);
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.end(None, Some("cancelled"));
    }
}
