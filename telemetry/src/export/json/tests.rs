//! The reference implementation reads from our JSON what it had encoded.

use super::*;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

const NANOS: u64 = 1_700_000_000_123_456_789;

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(any(value)),
        ..KeyValue::default()
    }
}

fn attributes() -> Vec<KeyValue> {
    let text = |text: &str| Value::StringValue(text.to_owned());
    vec![
        attribute("text", text("quote \" back \\ line \n wörld 😀 \u{1}")),
        attribute("empty", text("")),
        attribute("bool", Value::BoolValue(true)),
        attribute("least", Value::IntValue(i64::MIN)),
        attribute("most", Value::IntValue(i64::MAX)),
        attribute("double", Value::DoubleValue(-0.1)),
        attribute("large", Value::DoubleValue(1e300)),
        attribute("bytes", Value::BytesValue(vec![0, 0xff, 0x7f, 1])),
        attribute(
            "list",
            Value::ArrayValue(ArrayValue {
                values: vec![any(text("a")), any(Value::IntValue(-1))],
            }),
        ),
        attribute(
            "map",
            Value::KvlistValue(KeyValueList {
                values: vec![attribute("inner", Value::BoolValue(false))],
            }),
        ),
    ]
}

fn resource() -> Option<Resource> {
    Some(Resource {
        attributes: attributes(),
        dropped_attributes_count: 3,
        ..Resource::default()
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "ours".to_owned(),
        version: "1".to_owned(),
        ..InstrumentationScope::default()
    })
}

#[track_caller]
fn survives<M>(signal: Signal, request: &M)
where
    M: prost::Message + DeserializeOwned + PartialEq + Debug,
{
    let json = to_json(signal, &request.encode_to_vec());
    assert!(!json.contains(&b'\n'));
    let text = String::from_utf8(json).unwrap();
    let read: M = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(&read, request, "{text}");
}

#[test]
fn spans_survive() {
    let full = Span {
        trace_id: (0..16).collect(),
        span_id: (0xf0..0xf8).collect(),
        trace_state: "ot=th:8".to_owned(),
        parent_span_id: vec![9; 8],
        flags: 0x301,
        name: "GET /a".to_owned(),
        kind: 2,
        start_time_unix_nano: NANOS,
        end_time_unix_nano: u64::MAX,
        attributes: attributes(),
        dropped_attributes_count: 1,
        events: vec![Event {
            time_unix_nano: NANOS,
            name: "exception".to_owned(),
            attributes: attributes(),
            dropped_attributes_count: 2,
        }],
        dropped_events_count: 3,
        links: vec![Link {
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            trace_state: "a=b".to_owned(),
            attributes: attributes(),
            dropped_attributes_count: 4,
            flags: 0x101,
        }],
        dropped_links_count: 5,
        status: Some(Status {
            message: "no".to_owned(),
            code: 2,
        }),
    };
    let bare = Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        ..Span::default()
    };
    survives(
        Signal::Traces,
        &ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: resource(),
                scope_spans: vec![ScopeSpans {
                    scope: scope(),
                    spans: vec![full, bare],
                    schema_url: "s".to_owned(),
                }],
                schema_url: "t".to_owned(),
            }],
        },
    );
    survives(Signal::Traces, &ExportTraceServiceRequest::default());
}

#[test]
fn metrics_survive() {
    let exemplar = |value| Exemplar {
        filtered_attributes: attributes(),
        time_unix_nano: NANOS,
        span_id: vec![7; 8],
        trace_id: vec![8; 16],
        value: Some(value),
    };
    let number = |value| NumberDataPoint {
        attributes: attributes(),
        start_time_unix_nano: NANOS,
        time_unix_nano: NANOS + 1,
        exemplars: vec![exemplar(exemplar::Value::AsInt(-3))],
        flags: 1,
        value: Some(value),
    };
    let histogram = HistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: NANOS,
        time_unix_nano: NANOS,
        count: 6,
        sum: Some(1.5),
        bucket_counts: vec![1, 2, 3],
        explicit_bounds: vec![0.005, 10.0],
        exemplars: vec![exemplar(exemplar::Value::AsDouble(0.25))],
        flags: 0,
        min: Some(0.0),
        max: Some(1.0),
    };
    let exponential = ExponentialHistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: NANOS,
        time_unix_nano: NANOS,
        count: 6,
        sum: Some(-1.5),
        scale: -3,
        zero_count: 1,
        positive: Some(Buckets {
            offset: -5,
            bucket_counts: vec![1, 300],
        }),
        negative: Some(Buckets {
            offset: 7,
            bucket_counts: vec![5],
        }),
        zero_threshold: 0.5,
        ..ExponentialHistogramDataPoint::default()
    };
    let summary = SummaryDataPoint {
        count: 2,
        sum: 3.5,
        quantile_values: vec![ValueAtQuantile {
            quantile: 0.5,
            value: 1.5,
        }],
        ..SummaryDataPoint::default()
    };
    let metrics = [
        Data::Gauge(Gauge {
            data_points: vec![number(number_data_point::Value::AsDouble(0.5))],
        }),
        Data::Sum(Sum {
            data_points: vec![number(number_data_point::Value::AsInt(i64::MIN))],
            aggregation_temporality: 2,
            is_monotonic: true,
        }),
        Data::Histogram(Histogram {
            data_points: vec![histogram],
            aggregation_temporality: 1,
        }),
        Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![exponential],
            aggregation_temporality: 2,
        }),
        Data::Summary(Summary {
            data_points: vec![summary],
        }),
    ];
    let metrics = metrics.map(|data| Metric {
        name: "m".to_owned(),
        description: "d".to_owned(),
        unit: "By".to_owned(),
        data: Some(data),
        ..Metric::default()
    });
    survives(
        Signal::Metrics,
        &ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: resource(),
                scope_metrics: vec![ScopeMetrics {
                    scope: scope(),
                    metrics: metrics.into(),
                    schema_url: "s".to_owned(),
                }],
                schema_url: "t".to_owned(),
            }],
        },
    );
}

#[test]
fn log_records_survive() {
    let record = LogRecord {
        time_unix_nano: NANOS,
        observed_time_unix_nano: NANOS,
        severity_number: 17,
        severity_text: "ERROR".to_owned(),
        body: Some(any(Value::StringValue("it \"failed\"".to_owned()))),
        attributes: attributes(),
        dropped_attributes_count: 2,
        flags: 1,
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        event_name: "e".to_owned(),
    };
    survives(
        Signal::Logs,
        &ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource: resource(),
                scope_logs: vec![ScopeLogs {
                    scope: scope(),
                    log_records: vec![record, LogRecord::default()],
                    schema_url: "s".to_owned(),
                }],
                schema_url: "t".to_owned(),
            }],
        },
    );
}

#[test]
fn names_and_numbers_are_written_as_the_mapping_says() {
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![Span {
                    trace_id: vec![0xab; 16],
                    kind: 3,
                    start_time_unix_nano: NANOS,
                    attributes: vec![
                        attribute("i", Value::IntValue(7)),
                        attribute("n", Value::DoubleValue(f64::NAN)),
                        attribute("f", Value::DoubleValue(f64::NEG_INFINITY)),
                    ],
                    ..Span::default()
                }],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    };
    let json = to_json(Signal::Traces, &request.encode_to_vec());
    assert_eq!(
        String::from_utf8(json).unwrap(),
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"abababababababababababababababab","kind":3,"startTimeUnixNano":"1700000000123456789","attributes":[{"key":"i","value":{"intValue":"7"}},{"key":"n","value":{"doubleValue":"NaN"}},{"key":"f","value":{"doubleValue":"-Infinity"}}]}]}]}]}"#
    );
}

#[test]
fn what_is_malformed_is_left_out() {
    for broken in [&[0x0a, 9, 1][..], &[0x0a], &[0x08, 1], &[0xff; 20]] {
        assert_eq!(to_json(Signal::Logs, broken), b"{}", "{broken:?}");
    }
}
