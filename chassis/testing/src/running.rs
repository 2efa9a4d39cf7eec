use std::{net::SocketAddr, time::Duration};

use app::Ready;
use telemetry::testing::{Collector, Span};
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::Town;

type Served = JoinHandle<Result<(), app::ServeError>>;

/// A service on its way to readiness.
pub struct Starting {
    pub(crate) town: Town,
    pub(crate) ready: oneshot::Receiver<Ready>,
    pub(crate) collector: Collector,
    pub(crate) stopping: CancellationToken,
    pub(crate) served: Served,
}

impl Starting {
    /// Waits until it is ready.
    ///
    /// # Errors
    /// It could not start.
    ///
    /// # Panics
    /// It panicked, or ended well without ever being ready.
    pub async fn ready(self) -> Result<Running, app::ServeError> {
        let Ok(ready) = self.ready.await else {
            let ended = self.served.await.expect("no panic");
            return Err(ended.expect_err("a start that nobody stopped ends in readiness"));
        };
        Ok(Running {
            url: format!("http://{}", ready.public),
            admin_url: format!("http://{}", ready.admin),
            http: reqwest::Client::new(),
            town: self.town,
            ready,
            collector: self.collector,
            stopping: self.stopping,
            served: Some(self.served),
        })
    }

    /// Stops it before it is ready, and waits for its end.
    ///
    /// # Errors
    /// Those of [`app::serve_on`].
    ///
    /// # Panics
    /// It panicked.
    pub async fn stop(self) -> Result<(), app::ServeError> {
        self.stopping.cancel();
        self.served.await.expect("no panic")
    }
}

/// A service that runs.
pub struct Running {
    /// Base address of the public listener.
    pub url: String,
    /// Base address of the admin listener.
    pub admin_url: String,
    /// A client without telemetry: the world outside.
    pub http: reqwest::Client,
    town: Town,
    ready: Ready,
    collector: Collector,
    stopping: CancellationToken,
    served: Option<Served>,
}

impl Running {
    /// Where it listens, publicly.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.ready.public
    }

    /// A further address by name.
    ///
    /// # Panics
    /// The service has none of that name.
    #[must_use]
    pub fn named_address(&self, name: &str) -> SocketAddr {
        self.ready.addresses[name]
    }

    /// Its instance id.
    #[must_use]
    pub fn instance_id(&self) -> &str {
        &self.ready.instance_id
    }

    /// The town that it stands in.
    #[must_use]
    pub fn town(&self) -> &Town {
        &self.town
    }

    /// Every span that it has ended so far.
    pub async fn spans(&self) -> Vec<Span> {
        self.collector.spans().await
    }

    /// Its metrics page, in Prometheus text.
    ///
    /// # Panics
    /// The page cannot be fetched.
    pub async fn metrics(&self) -> String {
        crate::metrics(&self.http, &self.admin_url).await
    }

    /// Begins its drain, as SIGTERM does.
    pub fn ask_to_stop(&self) {
        self.stopping.cancel();
    }

    /// Whether it has ended, by itself or as it was asked to.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.served.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for its end, which nobody need have asked for.
    ///
    /// # Errors
    /// Why it could not go on.
    ///
    /// # Panics
    /// It panicked.
    pub async fn ended(mut self) -> Result<(), app::ServeError> {
        let served = self.served.take().expect("runs until it ends");
        served.await.expect("no panic")
    }

    /// Ends it as a crash does: between one step and the next, without a farewell to anyone.
    ///
    /// # Panics
    /// It had panicked before.
    pub async fn kill(mut self) {
        let served = self.served.take().expect("runs until it ends");
        served.abort();
        match served.await {
            Ok(_) => {}
            Err(error) => assert!(error.is_cancelled(), "{error}"),
        }
    }

    /// Stops it and waits for its end.
    ///
    /// # Panics
    /// It did not end cleanly within 10 seconds.
    pub async fn stop(self) {
        self.ask_to_stop();
        tokio::time::timeout(Duration::from_secs(10), self.ended())
            .await
            .expect("ends in time")
            .expect("a clean end");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopping.cancel();
    }
}
