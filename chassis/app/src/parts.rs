use std::{collections::BTreeMap, future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use crate::with_causes;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Check = Arc<dyn Fn() -> Boxed<Result<(), String>> + Send + Sync>;
pub(crate) type Remark = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// Why a service could not start: one sentence for the person who started it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

impl StartError {
    /// What went wrong and, where known, what to do.
    pub fn new(cause: impl std::fmt::Display) -> Self {
        Self(cause.to_string())
    }
}

/// What a service hands over to be run.
pub struct Parts {
    pub(crate) public: Public,
    pub(crate) held: axum::Router,
    pub(crate) addresses: BTreeMap<&'static str, SocketAddr>,
    pub(crate) ready: Vec<(&'static str, Check)>,
    pub(crate) remarks: Vec<(&'static str, Remark)>,
    pub(crate) tasks: Vec<(&'static str, Boxed<()>)>,
}

pub(crate) enum Public {
    Router(axum::Router),
    Listening {
        address: SocketAddr,
        drained: Boxed<()>,
    },
}

impl Parts {
    /// A service whose public interface is a router; listening, tracing, limits and drain are
    /// added around it.
    #[must_use]
    pub fn router(router: axum::Router) -> Self {
        Self::new(Public::Router(router))
    }

    /// A service that already listens by itself at `address`. `drained` ends when, after
    /// `City::stopping`, no request is in flight any more.
    pub fn listening(
        address: SocketAddr,
        drained: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self::new(Public::Listening {
            address,
            drained: Box::pin(drained),
        })
    }

    fn new(public: Public) -> Self {
        Self {
            public,
            held: axum::Router::new(),
            addresses: BTreeMap::new(),
            ready: Vec::new(),
            remarks: Vec::new(),
            tasks: Vec::new(),
        }
    }

    /// Routes whose answers are held back until there is something to say, beside those of
    /// [`router`](Self::router). They are neither traced nor measured, have no access line and no
    /// timeout: each would be the slowest request of its service, and waiting is what it is for.
    /// Their handlers end by themselves when `City::stopping` fires.
    #[must_use]
    pub fn held(mut self, routes: axum::Router) -> Self {
        self.held = self.held.merge(routes);
        self
    }

    /// A further address that people or supervisors must know.
    #[must_use]
    pub fn address(mut self, name: &'static str, address: SocketAddr) -> Self {
        self.addresses.insert(name, address);
        self
    }

    /// A condition for `/readyz`; the error says what is missing.
    #[must_use]
    pub fn ready<F, Fut>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.ready.push((name, Arc::new(move || Box::pin(check()))));
        self
    }

    /// The condition that `ping` reaches what the service cannot do without.
    #[must_use]
    pub fn reaches<T, F, Fut, E>(self, name: &'static str, what: T, ping: F) -> Self
    where
        T: Clone + Send + Sync + 'static,
        F: Fn(T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: std::error::Error + Send,
    {
        self.ready(name, move || {
            let reached = ping(what.clone());
            async move { reached.await.map_err(|error| with_causes(&error)) }
        })
    }

    /// What `/readyz` is to say beside its conditions, if there is anything to say: for a person to
    /// see to, while the service answers requests as ever.
    #[must_use]
    pub fn remark(
        mut self,
        name: &'static str,
        remark: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.remarks.push((name, Box::new(remark)));
        self
    }

    /// A background task that ends when `City::stopping` fires; if it ends before, the service
    /// stops with an error.
    #[must_use]
    pub fn task(
        mut self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        self.tasks.push((name, Box::pin(task)));
        self
    }
}
