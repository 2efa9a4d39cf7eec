//! Operations as calls of the database: metrics always, and a span within a request.

use telemetry::Telemetry;
use telemetry::database::{Database, System};

use super::KvError;

/// Names, attributes and metrics follow the OpenTelemetry conventions for database clients; the
/// operations are named as this interface calls them. Keys and values are left out.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    database: Database,
}

impl Calls {
    /// `name` is the store's, unique within the service.
    pub(super) fn new(telemetry: &Telemetry, name: &str) -> Self {
        let database = telemetry.database(System::named("redb"));
        // A background sweep must not start a trace each time.
        let database = database.namespace(name).within_traces_only();
        Self { database }
    }

    /// Awaits one operation.
    pub(super) async fn observe<T>(
        &self,
        operation: &'static str,
        collection: &'static str,
        work: impl Future<Output = Result<T, KvError>>,
    ) -> Result<T, KvError> {
        let call = self.database.operation(operation).collection(collection);
        let call = call.summarised().start();
        let outcome = work.await;
        match &outcome {
            Ok(_) => call.finish(),
            Err(error) => call.fail(error.kind()),
        }
        outcome
    }
}
