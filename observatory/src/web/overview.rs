//! What the page's list shows: a line a trace, read from the store's rows alone; and how full
//! the store is.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;

use app::Problem;
use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use crate::jaeger::{Queries, Search};
use crate::store::{Snapshot, StoredSpan, now};

#[derive(Debug, OpenApi)]
#[openapi(paths(traces, status))]
pub(crate) struct Api;

/// What the routes read.
#[derive(Debug, Clone)]
pub(crate) struct Overview {
    pub(crate) queries: Queries,
    pub(crate) otlp_grpc: SocketAddr,
    pub(crate) otlp_http: SocketAddr,
}

pub(crate) fn router(overview: Overview) -> Router {
    Router::new()
        .route("/api/observatory/v1/traces", get(traces))
        .route("/api/observatory/v1/status", get(status))
        .with_state(overview)
}

#[derive(Debug, Serialize, ToSchema)]
struct Summaries {
    /// Newest first, by the arrival of their first span.
    traces: Vec<Summary>,
}

/// One trace in a line. Times are microseconds, as in Jaeger's interface beside it.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct Summary {
    /// As it stands in an address.
    trace_id: String,
    /// Of the earliest span without a parent; absent when none has come in.
    root_service: Option<String>,
    root_operation: Option<String>,
    /// Of that span, microseconds: where a trace goes on after the answer, how long that took.
    root_duration: Option<u64>,
    /// Earliest start of a span, microseconds since 1970.
    start_time: u64,
    /// From there to the latest end of a span, microseconds.
    duration: u64,
    span_count: usize,
    /// Spans with the status error.
    error_count: usize,
    /// Spans whose parent has not come in.
    orphan_count: usize,
    /// By name.
    services: Vec<ServiceShare>,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct ServiceShare {
    name: String,
    span_count: usize,
    error_count: usize,
}

/// What is kept, and where to send more. Times are microseconds since 1970.
#[derive(Debug, Serialize, ToSchema)]
struct StoreStatus {
    traces: usize,
    spans: usize,
    /// Bytes held, indexes included.
    bytes: usize,
    limit_bytes: usize,
    evicted_traces: u64,
    evicted_spans: u64,
    /// When the oldest trace kept began to come in.
    oldest_received: Option<u64>,
    /// Where OTLP is received over gRPC.
    #[schema(value_type = String)]
    otlp_grpc: SocketAddr,
    /// Where OTLP is received over HTTP.
    #[schema(value_type = String)]
    otlp_http: SocketAddr,
}

/// Searches as `/api/traces` does, but answers a line a trace. Without `service` all services
/// are searched.
#[utoipa::path(get, path = "/api/observatory/v1/traces", tag = "observatory",
    params(
        ("service" = Option<String>, Query, description = "Any service when absent"),
        ("operation" = Option<String>, Query, description = "Exact name of the operation"),
        ("start" = Option<i64>, Query, description = "Earliest start of the span, microseconds since 1970; 48 hours ago by default"),
        ("end" = Option<i64>, Query, description = "Latest start of the span, microseconds since 1970; now by default"),
        ("minDuration" = Option<String>, Query, description = "Shortest duration of the span, as `1.5ms`"),
        ("maxDuration" = Option<String>, Query, description = "Longest duration of the span"),
        ("limit" = Option<i32>, Query, description = "Most traces to answer; 100 by default, at most 1500"),
        ("tag" = Option<Vec<String>>, Query, description = "`key:value`, repeated"),
        ("tags" = Option<Vec<String>>, Query, description = "JSON object of strings, repeated"),
    ),
    responses(
        (status = 200, body = Summaries),
        (status = 400, description = "A parameter cannot be read: `invalid_query`"),
    ))]
async fn traces(
    State(overview): State<Overview>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Result<Json<Summaries>, Problem> {
    let search = Search::parse(&pairs, now()).map_err(|message| {
        let title = "The query cannot be read";
        Problem::new(StatusCode::BAD_REQUEST, "invalid_query", title).detail(message)
    })?;
    let lines = |found: Vec<Snapshot>| found.iter().map(summary).collect();
    let traces = overview
        .queries
        .search(search, lines)
        .await
        .map_err(Problem::internal)?;
    Ok(Json(Summaries { traces }))
}

/// How full the store is, what it has let go, and where it receives.
#[utoipa::path(get, path = "/api/observatory/v1/status", tag = "observatory",
    responses((status = 200, body = StoreStatus)))]
async fn status(State(overview): State<Overview>) -> Json<StoreStatus> {
    let stats = overview.queries.store.stats();
    Json(StoreStatus {
        traces: stats.traces,
        spans: stats.spans,
        bytes: stats.bytes,
        limit_bytes: stats.limit,
        evicted_traces: stats.evicted_traces,
        evicted_spans: stats.evicted_spans,
        oldest_received: stats.oldest.map(|nanos| nanos / 1_000),
        otlp_grpc: overview.otlp_grpc,
        otlp_http: overview.otlp_http,
    })
}

fn summary(snapshot: &Snapshot) -> Summary {
    let known: HashSet<_> = snapshot.spans().map(|span| span.row.span_id).collect();
    let mut services: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let (mut start, mut end) = (u64::MAX, 0);
    let (mut error_count, mut orphan_count) = (0, 0);
    let mut root: Option<StoredSpan<'_>> = None;
    for span in snapshot.spans() {
        let failed = usize::from(span.row.is_error());
        start = start.min(span.row.start);
        end = end.max(span.row.start.saturating_add(span.row.duration()));
        error_count += failed;
        let service = services.entry(&span.origin.service).or_default();
        service.0 += 1;
        service.1 += failed;
        if !span.row.parent_id.is_none() {
            orphan_count += usize::from(!known.contains(&span.row.parent_id));
        } else if root.is_none_or(|earliest| span.row.start < earliest.row.start) {
            root = Some(span);
        }
    }
    let share = |(name, (span_count, error_count)): (&str, (usize, usize))| ServiceShare {
        name: name.to_owned(),
        span_count,
        error_count,
    };
    Summary {
        trace_id: snapshot.trace().id.to_string(),
        root_service: root.map(|root| root.origin.service.to_string()),
        root_operation: root.map(|root| root.operation.to_owned()),
        root_duration: root.map(|root| root.row.duration() / 1_000),
        start_time: start / 1_000,
        duration: end.saturating_sub(start) / 1_000,
        span_count: snapshot.len(),
        error_count,
        orphan_count,
        services: services.into_iter().map(share).collect(),
    }
}
