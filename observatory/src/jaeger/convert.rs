//! From a stored OTLP span to Jaeger's.
//!
//! Rules: the OpenTelemetry collector's Jaeger translator (`pkg/translator/jaeger`), and the
//! adjustments that Jaeger makes when a trace is queried without `raw`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use super::model::{Log, Process, RefType, Reference, Span, Tag, TagType, TagValue};
use crate::otlp::AnyValue;
use crate::otlp::decode::{self, Attribute, Event, Link, Scope};
use crate::store::{Snapshot, StoredSpan, TraceId};

/// Whole numbers beyond this lose digits in JavaScript; they travel as strings.
const SAFE_INTEGER: i64 = (1 << 53) - 1;
const DAMAGED: &str = "some attributes, events or links of this span could not be read";

/// Turns the spans of one trace into Jaeger's, collecting the processes on the way.
#[derive(Debug)]
pub(super) struct Converter {
    trace_id: TraceId,
    /// As stored, without adjustment.
    raw: bool,
    process_of_origin: HashMap<u32, usize>,
    /// Processes by what they say, so that equal ones share an id.
    processes: HashMap<String, usize>,
    seen: HashSet<(u64, u32, u64)>,
    hasher: RandomState,
}

impl Converter {
    pub(super) fn new(trace_id: TraceId, raw: bool) -> Self {
        Converter {
            trace_id,
            raw,
            process_of_origin: HashMap::new(),
            processes: HashMap::new(),
            seen: HashSet::new(),
            hasher: RandomState::new(),
        }
    }

    /// `None`: the span is a duplicate, as a sender's retry leaves behind.
    pub(super) fn span<'a>(&mut self, stored: &StoredSpan<'a>) -> Option<Span<'a>> {
        if !self.raw {
            let content = self.hasher.hash_one(stored.raw);
            if !self
                .seen
                .insert((stored.row.span_id.0, stored.origin_key, content))
            {
                return None;
            }
        }
        let mut span = decode::Span::decode(stored.raw);
        if !self.raw {
            span.attributes.sort_by(|a, b| a.key.cmp(&b.key));
            span.events.sort_by_key(|event| event.time);
            for event in &mut span.events {
                event.attributes.sort_by(|a, b| a.key.cmp(&b.key));
            }
            span.links
                .retain(|link| link.trace_id.0 != 0 && !link.span_id.is_none());
        }
        let process = self.process(stored);
        Some(Span {
            trace_id: self.trace_id.to_string(),
            span_id: stored.row.span_id.to_string(),
            // Jaeger knows the sampled bit alone.
            flags: span.flags & 1,
            operation_name: std::mem::take(&mut span.name),
            references: self.references(stored, &span.links),
            start_time: stored.row.start / 1_000,
            duration: stored.row.duration() / 1_000,
            logs: std::mem::take(&mut span.events)
                .into_iter()
                .map(log)
                .collect(),
            warnings: span.damaged.then(|| vec![DAMAGED.to_owned()]),
            tags: tags(stored, span),
            process_id: format!("p{process}"),
        })
    }

    fn process(&mut self, stored: &StoredSpan<'_>) -> usize {
        if let Some(number) = self.process_of_origin.get(&stored.origin_key) {
            return *number;
        }
        let mut process = process(stored);
        process.tags.sort_by(|a, b| a.key.cmp(&b.key));
        let says = serde_json::to_string(&process).unwrap_or_default();
        let next = self.processes.len() + 1;
        let number = *self.processes.entry(says).or_insert(next);
        self.process_of_origin.insert(stored.origin_key, number);
        number
    }

    /// The processes of the spans converted so far.
    pub(super) fn processes<'a>(&self, snapshot: &'a Snapshot) -> BTreeMap<String, Process<'a>> {
        let mut processes = BTreeMap::new();
        for stored in snapshot.spans() {
            if let Some(number) = self.process_of_origin.get(&stored.origin_key)
                && processes.len() < self.processes.len()
            {
                processes.entry(format!("p{number}")).or_insert_with(|| {
                    let mut process = process(&stored);
                    if !self.raw {
                        process.tags.sort_by(|a, b| a.key.cmp(&b.key));
                    }
                    process
                });
            }
        }
        processes
    }

    /// The parent first. A link to the parent changes its kind rather than repeating it.
    fn references(&self, stored: &StoredSpan<'_>, links: &[Link<'_>]) -> Vec<Reference> {
        let parent = stored.row.parent_id;
        let mut references = Vec::with_capacity(links.len() + usize::from(!parent.is_none()));
        if !parent.is_none() {
            references.push(Reference {
                ref_type: RefType::ChildOf,
                trace_id: self.trace_id.to_string(),
                span_id: parent.to_string(),
            });
        }
        for link in links {
            let ref_type = ref_type(link);
            if !parent.is_none() && link.trace_id == self.trace_id && link.span_id == parent {
                references[0].ref_type = ref_type;
                continue;
            }
            references.push(Reference {
                ref_type,
                trace_id: link.trace_id.to_string(),
                span_id: link.span_id.to_string(),
            });
        }
        references
    }
}

fn ref_type(link: &Link<'_>) -> RefType {
    let named = link
        .attributes
        .iter()
        .find(|attribute| attribute.key == "opentracing.ref_type");
    match named.map(|attribute| &attribute.value) {
        Some(AnyValue::String(kind)) if kind == "child_of" => RefType::ChildOf,
        _ => RefType::FollowsFrom,
    }
}

fn tags<'a>(stored: &StoredSpan<'a>, span: decode::Span<'a>) -> Vec<Tag<'a>> {
    let scope = Scope::decode(&stored.origin.scope);
    let mut tags = Vec::with_capacity(span.attributes.len() + 6);
    if !scope.name.is_empty() {
        tags.push(text_tag("otel.scope.name", scope.name));
    }
    if !scope.version.is_empty() {
        tags.push(text_tag("otel.scope.version", scope.version));
    }
    tags.extend(span.attributes.into_iter().map(tag));
    let kind = super::model::KINDS
        .get(usize::from(stored.row.kind))
        .copied()
        .unwrap_or("");
    if !kind.is_empty() {
        tags.push(text_tag("span.kind", kind.into()));
    }
    match stored.row.status {
        1 => tags.push(text_tag("otel.status_code", "OK".into())),
        2 => {
            tags.push(text_tag("otel.status_code", "ERROR".into()));
            let (kind, value) = (TagType::Bool, TagValue::Bool(true));
            tags.push(Tag {
                key: "error".into(),
                kind,
                value,
            });
        }
        _ => {}
    }
    if !span.status_message.is_empty() {
        tags.push(text_tag("otel.status_description", span.status_message));
    }
    if !span.trace_state.is_empty() {
        tags.push(text_tag("w3c.tracestate", span.trace_state));
    }
    tags
}

fn process<'a>(stored: &StoredSpan<'a>) -> Process<'a> {
    let attributes = decode::resource_attributes(&stored.origin.resource);
    let others = attributes
        .into_iter()
        .filter(|attribute| attribute.key != "service.name");
    let service_name = Cow::Borrowed(&*stored.origin.service);
    Process {
        service_name,
        tags: others.map(tag).collect(),
    }
}

/// An event's name is a field, unless an attribute already says it.
fn log(event: Event<'_>) -> Log<'_> {
    let named = event
        .attributes
        .iter()
        .any(|attribute| attribute.key == "event");
    let mut fields = Vec::with_capacity(event.attributes.len() + 1);
    if !event.name.is_empty() && !named {
        fields.push(text_tag("event", event.name));
    }
    fields.extend(event.attributes.into_iter().map(tag));
    Log {
        timestamp: event.time / 1_000,
        fields,
    }
}

fn text_tag<'a>(key: &'static str, value: Cow<'a, str>) -> Tag<'a> {
    Tag {
        key: Cow::Borrowed(key),
        kind: TagType::String,
        value: TagValue::Text(value),
    }
}

fn tag(attribute: Attribute<'_>) -> Tag<'_> {
    let text = |value: &AnyValue<'_>| TagValue::Text(Cow::Owned(value.to_text().into_owned()));
    let (kind, value) = match attribute.value {
        AnyValue::String(string) => (TagType::String, TagValue::Text(string)),
        AnyValue::Bool(bool) => (TagType::Bool, TagValue::Bool(bool)),
        AnyValue::Int(int) if (-SAFE_INTEGER..=SAFE_INTEGER).contains(&int) => {
            (TagType::Int64, TagValue::Int(int))
        }
        AnyValue::Int(int) => (TagType::Int64, TagValue::Text(int.to_string().into())),
        // JSON has no word for infinity.
        AnyValue::Double(double) if double.is_finite() => {
            (TagType::Float64, TagValue::Float(double))
        }
        ref value @ AnyValue::Double(_) => (TagType::Float64, text(value)),
        ref value @ AnyValue::Bytes(_) => (TagType::Binary, text(value)),
        ref value @ (AnyValue::Empty | AnyValue::Array(_) | AnyValue::Map(_)) => {
            (TagType::String, text(value))
        }
    };
    Tag {
        key: attribute.key,
        kind,
        value,
    }
}
