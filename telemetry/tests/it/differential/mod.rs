//! The official SDK beside this crate: the same requests and the same spans, both exported as OTLP
//! to a receiver that really listens, decoded by the reference implementation and compared value
//! by value. What differs is in a table with its reason, and in `docs/differences.md`.

mod http;
mod official;
mod reasons;
mod spans;
mod table;

use crate::receiver::{Requests, of};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::BTreeMap;

/// What is said, under the name of what it is about.
type Facts = BTreeMap<String, String>;

/// A span with what it was sent under.
#[derive(Debug, Clone)]
struct Sent {
    span: Span,
    scope: InstrumentationScope,
    scope_schema: String,
    resource: Resource,
    resource_schema: String,
}

fn spans(requests: &Requests) -> Vec<Sent> {
    let mut sent = Vec::new();
    let received: Vec<(_, ExportTraceServiceRequest)> = of(requests, "traces");
    for group in received.into_iter().flat_map(|(_, r)| r.resource_spans) {
        for scoped in group.scope_spans {
            for span in scoped.spans {
                sent.push(Sent {
                    span,
                    scope: scoped.scope.clone().unwrap_or_default(),
                    scope_schema: scoped.schema_url.clone(),
                    resource: group.resource.clone().unwrap_or_default(),
                    resource_schema: group.schema_url.clone(),
                });
            }
        }
    }
    sent
}

fn about_resource(facts: &mut Facts, resource: &Resource, schema: &str) {
    about(facts, "resource attribute", &resource.attributes);
    facts.insert("resource schema".to_owned(), text(schema));
}

fn about_scope(facts: &mut Facts, scope: &InstrumentationScope, schema: &str) {
    about(facts, "scope attribute", &scope.attributes);
    facts.insert("scope name".to_owned(), text(&scope.name));
    facts.insert("scope version".to_owned(), text(&scope.version));
    facts.insert("scope schema".to_owned(), text(schema));
}

/// Attributes with the types of their values; one that is there twice says so.
fn about(facts: &mut Facts, what: &str, attributes: &[KeyValue]) {
    for pair in attributes {
        let earlier = facts.insert(format!("{what} {}", pair.key), any(pair.value.as_ref()));
        assert!(earlier.is_none(), "{what} {} is there twice", pair.key);
    }
}

fn any(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(value)) => text(value),
        Some(Any::IntValue(value)) => value.to_string(),
        Some(Any::DoubleValue(value)) => format!("{value:?}"),
        Some(Any::BoolValue(value)) => value.to_string(),
        other => format!("{other:?}"),
    }
}

fn text(text: &str) -> String {
    format!("{text:?}")
}

/// The data points of one histogram, as far as they do not depend on the clock.
fn about_histogram(facts: &mut Facts, requests: &Requests, name: &str) {
    let received: Vec<(_, ExportMetricsServiceRequest)> = of(requests, "metrics");
    let mut found = 0;
    let groups = received.iter().flat_map(|(_, r)| &r.resource_metrics);
    for metric in groups
        .flat_map(|group| &group.scope_metrics)
        .flat_map(|scope| &scope.metrics)
    {
        if metric.name != name {
            continue;
        }
        let Some(Data::Histogram(histogram)) = &metric.data else {
            panic!("no histogram: {metric:?}")
        };
        found += 1;
        facts.insert("metric unit".to_owned(), text(&metric.unit));
        facts.insert("metric description".to_owned(), text(&metric.description));
        let temporality = histogram.aggregation_temporality().as_str_name();
        facts.insert("metric temporality".to_owned(), temporality.to_owned());
        assert_eq!(histogram.data_points.len(), 1, "one request, one series");
        let point = &histogram.data_points[0];
        about(facts, "metric attribute", &point.attributes);
        facts.insert("metric count".to_owned(), point.count.to_string());
        let bounds = format!("{:?}", point.explicit_bounds);
        facts.insert("metric bounds".to_owned(), bounds);
    }
    assert!(found <= 1, "{name} was pushed {found} times");
    facts.insert("metric".to_owned(), format!("{found} series"));
}
