//! One thread of the gateway: its own runtime, listener, connections and caches. Workers share
//! what must hold for the whole process, and nothing else.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use identity::{Cache, Verifier};
use telemetry::Telemetry;
use telemetry::http::Edge;
use telemetry::log::LineWriter;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};
use tokio_util::sync::CancellationToken;

use crate::access_log::AccessLog;
use crate::clock::Clock;
use crate::config::Config;
use crate::connection::{self, Connection};
use crate::hop;
use crate::limit::RateTable;
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::upstream::Upstream;

/// How often kept connections are looked through.
const UPSTREAM_SWEEP: Duration = Duration::from_secs(1);
/// After an accept that failed (no file descriptors left, say), before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections beyond the limit that are told so at the same time; further ones are just closed.
const TURNED_AWAY: usize = 100;

/// What all workers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: ArcSwap<Config>,
    pub(crate) limits: Limits,
    pub(crate) members: Verifier,
    pub(crate) rates: RateTable,
    pub(crate) metrics: Metrics,
    pub(crate) telemetry: Telemetry,
    /// Open connections of clients.
    pub(crate) connections: AtomicUsize,
}

/// Limits that hold from start to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_connections: usize,
    pub(crate) max_headers: usize,
    pub(crate) max_header_bytes: usize,
    pub(crate) token_cache: usize,
    pub(crate) drain: Duration,
}

/// The configuration, with what this worker has made of it.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) config: Arc<Config>,
    /// By the configuration's services.
    pub(crate) upstreams: Vec<Rc<Upstream>>,
}

#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Clock,
    pub(crate) edge: Edge,
    pub(crate) tokens: RefCell<Cache>,
    pub(crate) scratch: RefCell<hop::Names>,
    pub(crate) access_log: AccessLog,
    pub(crate) draining: Cell<bool>,
    local: RefCell<Rc<Local>>,
    upstreams: RefCell<HashMap<Arc<str>, Rc<Upstream>>>,
    connections: RefCell<HashMap<u64, Rc<Connection>>>,
    next_connection: Cell<u64>,
    all_closed: Notify,
    swept: Cell<Instant>,
    published: Cell<(i64, i64)>,
    seed: u64,
}

/// Runs one worker on the calling thread until it has drained, or cannot go on.
pub(crate) fn run(
    runtime: &tokio::runtime::Runtime,
    shared: Arc<Shared>,
    listener: TcpListener,
    stopping: &CancellationToken,
    seed: u64,
) {
    LocalSet::new().block_on(runtime, async {
        let listener = match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "listener cannot be used");
                return;
            }
        };
        let worker = Rc::new(Worker::new(shared, seed));
        let mut ticking = spawn_local(Rc::clone(&worker).tick());
        tokio::select! {
            () = worker.accept(listener, stopping) => {}
            // Without its tick a worker keeps no limit of time.
            _ = &mut ticking => return,
        }
        worker.drain().await;
        ticking.abort();
        worker.publish();
        worker.access_log.flush();
    });
}

impl Worker {
    fn new(shared: Arc<Shared>, seed: u64) -> Self {
        let now = Instant::now();
        let config = shared.config.load_full();
        let mut upstreams = HashMap::new();
        let local = Local::new(config, &mut upstreams, seed);
        let clock = Clock::new(now);
        clock.set_tick(local.config.times.shortest);
        Self {
            edge: shared.telemetry.edge(),
            clock,
            tokens: RefCell::new(Cache::new(shared.limits.token_cache)),
            scratch: RefCell::default(),
            access_log: AccessLog::new(LineWriter::stdout()),
            draining: Cell::new(false),
            local: RefCell::new(Rc::new(local)),
            upstreams: RefCell::new(upstreams),
            connections: RefCell::default(),
            next_connection: Cell::new(0),
            all_closed: Notify::new(),
            swept: Cell::new(now),
            published: Cell::new((0, 0)),
            seed,
            shared,
        }
    }

    /// The configuration as this worker knows it.
    pub(crate) fn local(&self) -> Rc<Local> {
        Rc::clone(&self.local.borrow())
    }

    /// Takes over a changed configuration; costs a comparison if there is none.
    pub(crate) fn refresh(&self) {
        let current = self.shared.config.load();
        if Arc::ptr_eq(&current, &self.local.borrow().config) {
            return;
        }
        let config = Arc::clone(&current);
        self.clock.set_tick(config.times.shortest);
        let local = Local::new(config, &mut self.upstreams.borrow_mut(), self.seed);
        *self.local.borrow_mut() = Rc::new(local);
    }

    /// Keeps a connection in the list as long as the guard lives.
    fn list(self: &Rc<Self>, connection: &Rc<Connection>) -> Listed {
        let id = self.next_connection.get();
        self.next_connection.set(id + 1);
        self.connections
            .borrow_mut()
            .insert(id, Rc::clone(connection));
        self.shared.metrics.connections.inc();
        Listed {
            worker: Rc::clone(self),
            id,
        }
    }

    async fn accept(
        self: &Rc<Self>,
        listener: tokio::net::TcpListener,
        stopping: &CancellationToken,
    ) {
        let stopped = stopping.cancelled();
        tokio::pin!(stopped);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stopped => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) => self.take(socket, peer),
                Err(error) => {
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        // Whoever was in the queue when the listener closes would be reset.
        while let Ok(Ok((socket, peer))) =
            tokio::time::timeout(Duration::ZERO, listener.accept()).await
        {
            self.take(socket, peer);
        }
    }

    fn take(self: &Rc<Self>, socket: tokio::net::TcpStream, peer: std::net::SocketAddr) {
        let worker = Rc::clone(self);
        // Latency counts for more here than fewer packets.
        let _ = socket.set_nodelay(true);
        let open = self.shared.connections.fetch_add(1, Relaxed);
        let counted = Counted(Arc::clone(&self.shared));
        let most = self.shared.limits.max_connections;
        if open >= most + TURNED_AWAY {
            // No time for words: each would hold a descriptor.
            self.shared
                .metrics
                .rejected(Refusal::TooManyConnections.code());
            return;
        }
        if open >= most {
            spawn_local(async move {
                connection::turn_away(worker, socket, peer).await;
                drop(counted);
            });
            return;
        }
        let connection = Rc::new(Connection::new(worker, peer));
        // From here on a drain waits for it.
        let listed = self.list(&connection);
        spawn_local(async move {
            connection::serve(connection, socket).await;
            drop((listed, counted));
        });
    }

    /// Lets what is under way end, for as long as the settings say.
    async fn drain(&self) {
        self.draining.set(true);
        for connection in self.connections.borrow().values() {
            connection.wake();
        }
        let closed = async {
            while !self.connections.borrow().is_empty() {
                self.all_closed.notified().await;
            }
        };
        if tokio::time::timeout(self.shared.limits.drain, closed)
            .await
            .is_err()
        {
            let left = self.connections.borrow().len();
            tracing::warn!(connections = left, "cut off while draining");
        }
    }

    async fn tick(self: Rc<Self>) {
        loop {
            tokio::time::sleep(self.clock.tick()).await;
            let now = Instant::now();
            self.clock.advance(now);
            self.refresh();
            for connection in self.connections.borrow().values() {
                connection.sweep(self.clock.now());
            }
            self.access_log.flush();
            if now.saturating_duration_since(self.swept.get()) >= UPSTREAM_SWEEP {
                self.swept.set(now);
                self.sweep_upstreams(now);
            }
            self.publish();
        }
    }

    fn sweep_upstreams(&self, now: Instant) {
        let local = self.local();
        let most = local.config.pool_idle_per_instance;
        for upstream in self.upstreams.borrow().values() {
            upstream.sweep(now, most, local.config.times.pool_idle);
        }
        let rates = i64::try_from(self.shared.rates.len()).unwrap_or(i64::MAX);
        self.shared.metrics.rate_keys.set(rates);
    }

    /// Adds this worker's connections to those of the others.
    fn publish(&self) {
        let (mut idle, mut busy) = (0, 0);
        for upstream in self.upstreams.borrow().values() {
            let (more_idle, more_busy) = upstream.connections();
            idle += more_idle;
            busy += more_busy;
        }
        let (before_idle, before_busy) = self.published.replace((idle, busy));
        let metrics = &self.shared.metrics;
        if idle != before_idle {
            metrics.idle_upstreams.add(idle - before_idle);
        }
        if busy != before_busy {
            metrics.busy_upstreams.add(busy - before_busy);
        }
    }
}

impl Local {
    fn new(config: Arc<Config>, known: &mut HashMap<Arc<str>, Rc<Upstream>>, seed: u64) -> Self {
        let upstreams = config
            .services
            .iter()
            .map(|service| {
                let upstream = known
                    .entry(Arc::clone(&service.name))
                    .or_insert_with(|| Rc::new(Upstream::new(service.clone(), seed)));
                Rc::clone(upstream)
            })
            .collect();
        Self { config, upstreams }
    }
}

/// A place in the list of connections.
#[derive(Debug)]
struct Listed {
    worker: Rc<Worker>,
    id: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        let mut connections = self.worker.connections.borrow_mut();
        connections.remove(&self.id);
        self.worker.shared.metrics.connections.dec();
        if connections.is_empty() {
            self.worker.all_closed.notify_one();
        }
    }
}

/// One of the connections that the process has open.
struct Counted(Arc<Shared>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }
}
