//! A place in a handler where a test can hold it, wherever it runs.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use tokio::sync::watch;

static GATES: LazyLock<Mutex<HashMap<String, Arc<Gate>>>> = LazyLock::new(Mutex::default);

/// What has happened at the gate so far; each happens once.
#[derive(Default)]
pub(crate) struct Gate {
    name: String,
    entered: watch::Sender<bool>,
    opened: watch::Sender<bool>,
    dropped: watch::Sender<bool>,
    passed: watch::Sender<Option<String>>,
}

impl Gate {
    /// A gate of this test alone.
    pub(crate) fn new() -> Arc<Self> {
        let name = uuid::Uuid::new_v4().to_string();
        let gate = Arc::new(Self {
            name: name.clone(),
            ..Self::default()
        });
        GATES.lock().unwrap().insert(name, gate.clone());
        gate
    }

    pub(crate) fn named(name: &str) -> Arc<Self> {
        GATES.lock().unwrap()[name].clone()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// For the handler: says that it is there, and waits to be let on.
    pub(crate) async fn pass(&self) {
        self.entered.send_replace(true);
        within(self.opened.subscribe().wait_for(|opened| *opened))
            .await
            .unwrap();
        let trace = telemetry::context::current().map(|span| span.trace_id.to_string());
        self.passed.send_replace(Some(trace.unwrap_or_default()));
    }

    /// For the handler: the gate notices when it is dropped.
    pub(crate) fn guard(self: Arc<Self>) -> impl Drop + Send {
        struct Guard(Arc<Gate>);
        impl Drop for Guard {
            fn drop(&mut self) {
                self.0.dropped.send_replace(true);
            }
        }
        Guard(self)
    }

    pub(crate) fn open(&self) {
        self.opened.send_replace(true);
    }

    pub(crate) async fn entered(&self) {
        within(self.entered.subscribe().wait_for(|entered| *entered))
            .await
            .unwrap();
    }

    pub(crate) async fn dropped(&self) {
        within(self.dropped.subscribe().wait_for(|dropped| *dropped))
            .await
            .unwrap();
    }

    /// The trace in which the handler has passed, if it has.
    pub(crate) fn passed(&self) -> Option<String> {
        self.passed.borrow().clone()
    }

    /// The trace in which the handler passes.
    pub(crate) async fn passing(&self) -> String {
        let mut passed = self.passed.subscribe();
        let passed = within(passed.wait_for(Option::is_some)).await.unwrap();
        passed.clone().unwrap()
    }
}

/// A test that hangs is a test that fails.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("in time")
}
