//! The routes of the API.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::StatusCode;
use utoipa::OpenApi;

use super::answer::{enveloped, failed, pretty, traces};
use super::model::{Error, Failure, KINDS, ListOfNames, ListOfOperations, ListOfTraces, Operation};
use super::queries::Queries;
use super::query::{Pairs, Search, flag};
use crate::store::TraceId;

#[derive(Debug, OpenApi)]
#[openapi(paths(services, operations_of_service, operations, search, trace))]
pub(crate) struct Api;

pub(crate) fn router(queries: Queries) -> Router {
    Router::new()
        .route("/api/services", get(services))
        .route("/api/services/{*path}", get(operations_of_service))
        .route("/api/operations", get(operations))
        .route("/api/traces", get(search))
        .route("/api/traces/{id}", get(trace))
        .with_state(queries)
}

/// Names of the services that traces are kept of.
#[utoipa::path(get, path = "/api/services", tag = "jaeger",
    responses((status = 200, body = ListOfNames)))]
async fn services(State(queries): State<Queries>) -> Response {
    let services = queries.store.services();
    let total = services.len();
    enveloped(services, total)
}

/// Names of a service's operations, of every kind. A slash in the service's name may be escaped
/// or not.
#[utoipa::path(get, path = "/api/services/{service}/operations", tag = "jaeger",
    params(("service" = String, Path, description = "The service's name")),
    responses((status = 200, body = ListOfNames)))]
async fn operations_of_service(
    State(queries): State<Queries>,
    Path(path): Path<String>,
) -> Response {
    let Some(service) = path.strip_suffix("/operations") else {
        return failed(StatusCode::NOT_FOUND, "not found");
    };
    let operations = queries.store.operations(service);
    let names: BTreeSet<_> = operations.iter().map(|operation| &operation.name).collect();
    let total = names.len();
    enveloped(names, total)
}

/// A service's operations with the kinds of their spans.
#[utoipa::path(get, path = "/api/operations", tag = "jaeger",
    params(
        ("service" = String, Query, description = "The service's name"),
        ("spanKind" = Option<String>, Query, description = "Only operations of this kind"),
    ),
    responses((status = 200, body = ListOfOperations), (status = 400, body = Failure)))]
async fn operations(State(queries): State<Queries>, Query(pairs): Query<Pairs>) -> Response {
    let first = |name: &str| {
        let found = pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    };
    let Some(service) = first("service") else {
        return failed(StatusCode::BAD_REQUEST, "parameter 'service' is required");
    };
    let kind = first("spanKind");
    let mut operations = Vec::new();
    for operation in queries.store.operations(service) {
        let span_kind = KINDS
            .get(usize::from(operation.kind))
            .copied()
            .unwrap_or("");
        if kind.is_none_or(|kind| kind == span_kind) {
            operations.push(Operation {
                name: operation.name,
                span_kind,
            });
        }
    }
    let total = operations.len();
    enveloped(operations, total)
}

/// Traces of which one span is as asked, newest first; or the traces of the ids that are named.
#[utoipa::path(get, path = "/api/traces", tag = "jaeger",
    params(
        ("service" = Option<String>, Query, description = "Required unless `traceID` is given"),
        ("operation" = Option<String>, Query, description = "Exact name of the operation"),
        ("start" = Option<i64>, Query, description = "Earliest start of the span, microseconds since 1970; 48 hours ago by default"),
        ("end" = Option<i64>, Query, description = "Latest start of the span, microseconds since 1970; now by default"),
        ("minDuration" = Option<String>, Query, description = "Shortest duration, as `1.5ms`"),
        ("maxDuration" = Option<String>, Query, description = "Longest duration"),
        ("limit" = Option<i32>, Query, description = "Most traces to answer; 100 by default, at most 1500"),
        ("tag" = Option<Vec<String>>, Query, description = "`key:value`, repeated"),
        ("tags" = Option<Vec<String>>, Query, description = "JSON object of strings, repeated"),
        ("traceID" = Option<Vec<String>>, Query, description = "Ids to fetch instead of searching"),
        ("raw" = Option<bool>, Query, description = "Spans as they came, without adjustment"),
    ),
    responses((status = 200, body = ListOfTraces), (status = 400, body = Failure)))]
async fn search(State(queries): State<Queries>, Query(pairs): Query<Pairs>) -> Response {
    let search = match Search::parse(&pairs, crate::store::now()) {
        Ok(search) => search,
        Err(message) => return failed(StatusCode::BAD_REQUEST, message),
    };
    if search.trace_ids.is_empty() && search.filter.service.is_none() {
        return failed(StatusCode::BAD_REQUEST, "parameter 'service' is required");
    }
    let raw = search.raw;
    if !search.trace_ids.is_empty() {
        let mut found = Vec::new();
        let mut errors = Vec::new();
        let mut asked = BTreeSet::new();
        for id in search.trace_ids.into_iter().filter(|id| asked.insert(*id)) {
            match queries.store.trace(id) {
                Some(snapshot) => found.push(snapshot),
                None => errors.push(Error {
                    code: None,
                    msg: "trace not found".to_owned(),
                    trace_id: Some(id.to_string()),
                }),
            }
        }
        return traces(found, raw, errors);
    }
    match queries.search(search, |found| found).await {
        Ok(found) => traces(found, raw, Vec::new()),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// One trace.
#[utoipa::path(get, path = "/api/traces/{id}", tag = "jaeger",
    params(
        ("id" = String, Path, description = "1 to 32 hexadecimal digits, or the id's bytes in base64"),
        ("raw" = Option<bool>, Query, description = "Spans as they came, without adjustment"),
        ("prettyPrint" = Option<bool>, Query, description = "Indented"),
    ),
    responses(
        (status = 200, body = ListOfTraces),
        (status = 400, body = Failure),
        (status = 404, body = Failure),
    ))]
async fn trace(
    State(queries): State<Queries>,
    Path(id): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Response {
    let Some(id) = trace_id(&id) else {
        return failed(StatusCode::BAD_REQUEST, format!("{id:?} is not a trace id"));
    };
    // Grafana sends start and end in milliseconds where Jaeger reads microseconds: both are
    // hints for stores that need them, and this one does not.
    let named = |name: &str| {
        let found = pairs
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str());
        flag(found.filter(|value| !value.is_empty()), name)
    };
    let (raw, indented) = match (named("raw"), named("prettyPrint")) {
        (Ok(raw), Ok(indented)) => (raw, indented),
        (Err(message), _) | (_, Err(message)) => return failed(StatusCode::BAD_REQUEST, message),
    };
    match queries.store.trace(id) {
        Some(snapshot) if indented => pretty(&snapshot, raw),
        Some(snapshot) => traces(vec![snapshot], raw, Vec::new()),
        None => failed(StatusCode::NOT_FOUND, "trace not found"),
    }
}

/// Hexadecimal, or base64 of the 16 bytes: standard or for URLs, padded or not.
fn trace_id(text: &str) -> Option<TraceId> {
    if let Some(id) = TraceId::from_hex(text) {
        return Some(id);
    }
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = [&alphabet::STANDARD, &alphabet::URL_SAFE]
        .into_iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())?;
    Some(TraceId(u128::from_be_bytes(bytes.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_as_hex_or_base64() {
        let id = TraceId(u128::from_be_bytes([
            0xfb, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
        ]));
        for text in [
            "fbff0102030405060708090a0b0c0d0e",
            "FBFF0102030405060708090A0B0C0D0E",
            "+/8BAgMEBQYHCAkKCwwNDg==",
            "+/8BAgMEBQYHCAkKCwwNDg",
            "-_8BAgMEBQYHCAkKCwwNDg==",
            "-_8BAgMEBQYHCAkKCwwNDg",
        ] {
            assert_eq!(trace_id(text), Some(id), "{text}");
        }
        assert_eq!(trace_id("ff"), Some(TraceId(255)));
        assert_eq!(trace_id("zz"), None);
        assert_eq!(trace_id(""), None);
    }
}
