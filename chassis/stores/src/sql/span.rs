use std::future::Future;

use tracing::Instrument;

use super::Dialect;

/// Span names and attributes follow the OpenTelemetry conventions for database clients: the name
/// is `{db.operation.name} {db.collection.name}`, and the statement itself is left out. Outside a
/// request telemetry records no span: a background poll does not start a trace each time.
pub(super) async fn in_span<F: Future>(
    dialect: Dialect,
    operation: &'static str,
    collection: &'static str,
    statement: F,
) -> F::Output {
    let span = if collection.is_empty() {
        tracing::info_span!(
            "sql",
            otel.name = operation,
            otel.kind = "client",
            db.system.name = dialect.system_name(),
            db.operation.name = operation,
        )
    } else {
        tracing::info_span!(
            "sql",
            otel.name = %format_args!("{operation} {collection}"),
            otel.kind = "client",
            db.system.name = dialect.system_name(),
            db.operation.name = operation,
            db.collection.name = collection,
        )
    };
    statement.instrument(span).await
}
