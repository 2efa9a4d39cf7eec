//! Jaeger's JSON, version 1. Times and durations are whole microseconds.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// What every answer is wrapped in.
#[derive(Debug, Serialize)]
pub(super) struct Envelope<'a, T> {
    pub data: T,
    pub total: usize,
    pub limit: usize,
    pub offset: usize,
    pub errors: Option<&'a [Error]>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Error {
    /// HTTP status, left out where the request as a whole succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    pub msg: String,
    #[serde(rename = "traceID", skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = JaegerTrace)]
pub(super) struct Trace<'a> {
    #[serde(rename = "traceID")]
    pub trace_id: String,
    pub spans: Vec<Span<'a>>,
    /// By process id: `p1`, `p2`, ...
    pub processes: BTreeMap<String, Process<'a>>,
    pub warnings: Option<Vec<String>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = JaegerSpan)]
pub(super) struct Span<'a> {
    #[serde(rename = "traceID")]
    pub trace_id: String,
    #[serde(rename = "spanID")]
    pub span_id: String,
    /// 1: sampled.
    #[serde(skip_serializing_if = "is_zero")]
    pub flags: u32,
    pub operation_name: Cow<'a, str>,
    pub references: Vec<Reference>,
    /// Microseconds since 1970.
    pub start_time: u64,
    /// Microseconds.
    pub duration: u64,
    pub tags: Vec<Tag<'a>>,
    pub logs: Vec<Log<'a>>,
    #[serde(rename = "processID")]
    pub process_id: String,
    pub warnings: Option<Vec<String>>,
}

fn is_zero(flags: &u32) -> bool {
    *flags == 0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum RefType {
    ChildOf,
    FollowsFrom,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reference {
    pub ref_type: RefType,
    #[serde(rename = "traceID")]
    pub trace_id: String,
    #[serde(rename = "spanID")]
    pub span_id: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Process<'a> {
    pub service_name: Cow<'a, str>,
    pub tags: Vec<Tag<'a>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Log<'a> {
    /// Microseconds since 1970.
    pub timestamp: u64,
    pub fields: Vec<Tag<'a>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(super) struct Tag<'a> {
    pub key: Cow<'a, str>,
    #[serde(rename = "type")]
    pub kind: TagType,
    pub value: TagValue<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum TagType {
    String,
    Bool,
    Int64,
    Float64,
    Binary,
}

#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum TagValue<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Float(f64),
}

/// An operation with the kind of its spans, lowercase; empty when unspecified.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Operation {
    pub name: String,
    pub span_kind: &'static str,
}

/// The words for OTLP's span kinds, by number.
pub(crate) const KINDS: [&str; 6] = ["", "internal", "server", "client", "producer", "consumer"];

// The envelope's forms, for the description of the interface.

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListOfNames {
    data: Vec<String>,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Option<Vec<Error>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListOfOperations {
    data: Vec<Operation>,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Option<Vec<Error>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListOfTraces {
    #[schema(inline = false)]
    data: Vec<Trace<'static>>,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Option<Vec<Error>>,
}

/// A refused request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Failure {
    #[schema(value_type = Option<Vec<String>>)]
    data: Option<()>,
    total: usize,
    limit: usize,
    offset: usize,
    errors: Vec<Error>,
}
