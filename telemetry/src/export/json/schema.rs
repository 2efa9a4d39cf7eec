//! OTLP's messages, as far as their fields have names in JSON; from
//! [opentelemetry-proto](https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto).

use Is::{
    Base64, Bool, Count, Double, Fixed32, Fixed64, Hex, Int64, Message as Of, Number, SFixed64,
    Text, ZigZag,
};

/// The fields of a message in the order of the JSON.
#[derive(Debug)]
pub(in crate::export) struct Message(pub(in crate::export) &'static [Field]);

#[derive(Debug)]
pub(in crate::export) struct Field {
    pub(in crate::export) number: u64,
    pub(in crate::export) name: &'static str,
    pub(in crate::export) is: Is,
    pub(in crate::export) many: bool,
}

/// What a field holds, and what becomes of it in JSON.
#[derive(Debug)]
pub(in crate::export) enum Is {
    Message(&'static Message),
    Text,
    /// Bytes of an id.
    Hex,
    /// Bytes of anything else.
    Base64,
    Bool,
    /// `uint32` or an enum: a number.
    Number,
    /// A number.
    Fixed32,
    /// `sint32`: a number.
    ZigZag,
    /// `uint64`: a string.
    Count,
    /// A string.
    Int64,
    /// A string.
    Fixed64,
    /// A string.
    SFixed64,
    Double,
}

const fn one(number: u64, name: &'static str, is: Is) -> Field {
    Field {
        number,
        name,
        is,
        many: false,
    }
}

const fn many(number: u64, name: &'static str, is: Is) -> Field {
    Field {
        number,
        name,
        is,
        many: true,
    }
}

/// `ExportTraceServiceRequest`.
pub(in crate::export) static TRACES: Message =
    Message(&[many(1, "resourceSpans", Of(&RESOURCE_SPANS))]);
/// `ExportMetricsServiceRequest`.
pub(in crate::export) static METRICS: Message =
    Message(&[many(1, "resourceMetrics", Of(&RESOURCE_METRICS))]);
/// `ExportLogsServiceRequest`.
pub(in crate::export) static LOGS: Message =
    Message(&[many(1, "resourceLogs", Of(&RESOURCE_LOGS))]);

static ANY_VALUE: Message = Message(&[
    one(1, "stringValue", Text),
    one(2, "boolValue", Bool),
    one(3, "intValue", Int64),
    one(4, "doubleValue", Double),
    one(5, "arrayValue", Of(&ARRAY_VALUE)),
    one(6, "kvlistValue", Of(&KEY_VALUE_LIST)),
    one(7, "bytesValue", Base64),
]);
static ARRAY_VALUE: Message = Message(&[many(1, "values", Of(&ANY_VALUE))]);
static KEY_VALUE_LIST: Message = Message(&[many(1, "values", Of(&KEY_VALUE))]);
static KEY_VALUE: Message = Message(&[one(1, "key", Text), one(2, "value", Of(&ANY_VALUE))]);
static RESOURCE: Message = Message(&[
    many(1, "attributes", Of(&KEY_VALUE)),
    one(2, "droppedAttributesCount", Number),
    many(3, "entityRefs", Of(&ENTITY_REF)),
]);
static ENTITY_REF: Message = Message(&[
    one(1, "schemaUrl", Text),
    one(2, "type", Text),
    many(3, "idKeys", Text),
    many(4, "descriptionKeys", Text),
]);
static SCOPE: Message = Message(&[
    one(1, "name", Text),
    one(2, "version", Text),
    many(3, "attributes", Of(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Number),
]);

static RESOURCE_SPANS: Message = Message(&[
    one(1, "resource", Of(&RESOURCE)),
    many(2, "scopeSpans", Of(&SCOPE_SPANS)),
    one(3, "schemaUrl", Text),
]);
static SCOPE_SPANS: Message = Message(&[
    one(1, "scope", Of(&SCOPE)),
    many(2, "spans", Of(&SPAN)),
    one(3, "schemaUrl", Text),
]);
static SPAN: Message = Message(&[
    one(1, "traceId", Hex),
    one(2, "spanId", Hex),
    one(3, "traceState", Text),
    one(4, "parentSpanId", Hex),
    one(16, "flags", Fixed32),
    one(5, "name", Text),
    one(6, "kind", Number),
    one(7, "startTimeUnixNano", Fixed64),
    one(8, "endTimeUnixNano", Fixed64),
    many(9, "attributes", Of(&KEY_VALUE)),
    one(10, "droppedAttributesCount", Number),
    many(11, "events", Of(&EVENT)),
    one(12, "droppedEventsCount", Number),
    many(13, "links", Of(&LINK)),
    one(14, "droppedLinksCount", Number),
    one(15, "status", Of(&STATUS)),
]);
static EVENT: Message = Message(&[
    one(1, "timeUnixNano", Fixed64),
    one(2, "name", Text),
    many(3, "attributes", Of(&KEY_VALUE)),
    one(4, "droppedAttributesCount", Number),
]);
static LINK: Message = Message(&[
    one(1, "traceId", Hex),
    one(2, "spanId", Hex),
    one(3, "traceState", Text),
    many(4, "attributes", Of(&KEY_VALUE)),
    one(5, "droppedAttributesCount", Number),
    one(6, "flags", Fixed32),
]);
static STATUS: Message = Message(&[one(2, "message", Text), one(3, "code", Number)]);

static RESOURCE_METRICS: Message = Message(&[
    one(1, "resource", Of(&RESOURCE)),
    many(2, "scopeMetrics", Of(&SCOPE_METRICS)),
    one(3, "schemaUrl", Text),
]);
static SCOPE_METRICS: Message = Message(&[
    one(1, "scope", Of(&SCOPE)),
    many(2, "metrics", Of(&METRIC)),
    one(3, "schemaUrl", Text),
]);
static METRIC: Message = Message(&[
    one(1, "name", Text),
    one(2, "description", Text),
    one(3, "unit", Text),
    one(5, "gauge", Of(&GAUGE)),
    one(7, "sum", Of(&SUM)),
    one(9, "histogram", Of(&HISTOGRAM)),
    one(10, "exponentialHistogram", Of(&EXPONENTIAL_HISTOGRAM)),
    one(11, "summary", Of(&SUMMARY)),
    many(12, "metadata", Of(&KEY_VALUE)),
]);
static GAUGE: Message = Message(&[many(1, "dataPoints", Of(&NUMBER_DATA_POINT))]);
static SUM: Message = Message(&[
    many(1, "dataPoints", Of(&NUMBER_DATA_POINT)),
    one(2, "aggregationTemporality", Number),
    one(3, "isMonotonic", Bool),
]);
static HISTOGRAM: Message = Message(&[
    many(1, "dataPoints", Of(&HISTOGRAM_DATA_POINT)),
    one(2, "aggregationTemporality", Number),
]);
static EXPONENTIAL_HISTOGRAM: Message = Message(&[
    many(1, "dataPoints", Of(&EXPONENTIAL_HISTOGRAM_DATA_POINT)),
    one(2, "aggregationTemporality", Number),
]);
static SUMMARY: Message = Message(&[many(1, "dataPoints", Of(&SUMMARY_DATA_POINT))]);
static NUMBER_DATA_POINT: Message = Message(&[
    many(7, "attributes", Of(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "asDouble", Double),
    one(6, "asInt", SFixed64),
    many(5, "exemplars", Of(&EXEMPLAR)),
    one(8, "flags", Number),
]);
static HISTOGRAM_DATA_POINT: Message = Message(&[
    many(9, "attributes", Of(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    one(5, "sum", Double),
    many(6, "bucketCounts", Fixed64),
    many(7, "explicitBounds", Double),
    many(8, "exemplars", Of(&EXEMPLAR)),
    one(10, "flags", Number),
    one(11, "min", Double),
    one(12, "max", Double),
]);
static EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = Message(&[
    many(1, "attributes", Of(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    one(5, "sum", Double),
    one(6, "scale", ZigZag),
    one(7, "zeroCount", Fixed64),
    one(8, "positive", Of(&BUCKETS)),
    one(9, "negative", Of(&BUCKETS)),
    one(10, "flags", Number),
    many(11, "exemplars", Of(&EXEMPLAR)),
    one(12, "min", Double),
    one(13, "max", Double),
    one(14, "zeroThreshold", Double),
]);
static BUCKETS: Message = Message(&[one(1, "offset", ZigZag), many(2, "bucketCounts", Count)]);
static SUMMARY_DATA_POINT: Message = Message(&[
    many(7, "attributes", Of(&KEY_VALUE)),
    one(2, "startTimeUnixNano", Fixed64),
    one(3, "timeUnixNano", Fixed64),
    one(4, "count", Fixed64),
    one(5, "sum", Double),
    many(6, "quantileValues", Of(&VALUE_AT_QUANTILE)),
    one(8, "flags", Number),
]);
static VALUE_AT_QUANTILE: Message = Message(&[one(1, "quantile", Double), one(2, "value", Double)]);
static EXEMPLAR: Message = Message(&[
    many(7, "filteredAttributes", Of(&KEY_VALUE)),
    one(2, "timeUnixNano", Fixed64),
    one(3, "asDouble", Double),
    one(6, "asInt", SFixed64),
    one(4, "spanId", Hex),
    one(5, "traceId", Hex),
]);

static RESOURCE_LOGS: Message = Message(&[
    one(1, "resource", Of(&RESOURCE)),
    many(2, "scopeLogs", Of(&SCOPE_LOGS)),
    one(3, "schemaUrl", Text),
]);
static SCOPE_LOGS: Message = Message(&[
    one(1, "scope", Of(&SCOPE)),
    many(2, "logRecords", Of(&LOG_RECORD)),
    one(3, "schemaUrl", Text),
]);
static LOG_RECORD: Message = Message(&[
    one(1, "timeUnixNano", Fixed64),
    one(11, "observedTimeUnixNano", Fixed64),
    one(2, "severityNumber", Number),
    one(3, "severityText", Text),
    one(5, "body", Of(&ANY_VALUE)),
    many(6, "attributes", Of(&KEY_VALUE)),
    one(7, "droppedAttributesCount", Number),
    one(8, "flags", Fixed32),
    one(9, "traceId", Hex),
    one(10, "spanId", Hex),
    one(12, "eventName", Text),
]);
