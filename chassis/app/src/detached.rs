use std::future::Future;

use crate::Problem;

/// Runs a handler's work to its end even if the client hangs up: for everything that writes.
/// The trace goes on inside.
///
/// # Errors
/// Those of `work`; 500 if it panics.
pub async fn detached<T, E, F>(work: F) -> Result<T, Problem>
where
    T: Send + 'static,
    E: Into<Problem> + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    match tokio::spawn(telemetry::context::in_current(work)).await {
        Ok(outcome) => outcome.map_err(Into::into),
        Err(error) => Err(Problem::internal(error)),
    }
}
