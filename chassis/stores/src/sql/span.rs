use std::future::Future;

use sqlx::error::DatabaseError;
use tracing::Span;
use tracing::field::Empty;

use super::Dialect;

/// Span names and attributes follow the OpenTelemetry conventions for database clients: the name
/// is `{db.operation.name} {db.collection.name}`, and the statement itself is left out.
pub(super) async fn in_span<T, F>(
    dialect: Dialect,
    operation: &'static str,
    collection: &'static str,
    statement: F,
) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    if telemetry::context::current().is_none() {
        return statement.await;
    }
    let span = tracing::info_span!(
        "sql",
        otel.name = operation,
        otel.kind = "client",
        otel.status_code = Empty,
        db.system.name = dialect.system_name(),
        db.operation.name = operation,
        db.collection.name = Empty,
        db.response.status_code = Empty,
        "error.type" = Empty,
    );
    if !collection.is_empty() {
        span.record(
            "otel.name",
            format_args!("{operation} {collection}").to_string(),
        );
        span.record("db.collection.name", collection);
    }
    // The span is not entered: sqlx's worker thread would keep a copy of it, and with it open,
    // until after the answer. A statement has no children that would miss it.
    let outcome = statement.await;
    if let Err(error) = &outcome {
        failed(&span, error);
    }
    outcome
}

fn failed(span: &Span, error: &sqlx::Error) {
    span.record("otel.status_code", "ERROR");
    let code = error.as_database_error().and_then(DatabaseError::code);
    match code {
        Some(code) => {
            span.record("db.response.status_code", &*code);
            span.record("error.type", &*code);
        }
        None => {
            let kind = match error {
                sqlx::Error::PoolTimedOut => "pool_timeout",
                sqlx::Error::PoolClosed => "pool_closed",
                sqlx::Error::RowNotFound => "row_not_found",
                _ => "_OTHER",
            };
            span.record("error.type", kind);
        }
    }
}
