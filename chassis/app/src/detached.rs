use std::future::Future;

use tokio_util::task::TaskTracker;

use crate::Problem;

tokio::task_local! {
    /// What was detached from requests and still runs: the drain waits for it.
    pub(crate) static DETACHED: TaskTracker;
}

/// Runs a handler's work to its end even if the client hangs up, the request takes too long or
/// the service drains: for everything that writes. The trace goes on inside; the request's deadline
/// does not, as the work must not be left half done: [`calls::deadline::kept`] takes it along.
///
/// # Errors
/// Those of `work`; 500 if it panics.
pub async fn detached<T, E, F>(work: F) -> Result<T, Problem>
where
    T: Send + 'static,
    E: Into<Problem> + Send + 'static,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let tracker = DETACHED.try_with(Clone::clone).unwrap_or_default();
    let work = telemetry::context::in_current(DETACHED.scope(tracker.clone(), work));
    match tracker.spawn(work).await {
        Ok(outcome) => outcome.map_err(Into::into),
        Err(error) => Err(Problem::internal(error)),
    }
}
