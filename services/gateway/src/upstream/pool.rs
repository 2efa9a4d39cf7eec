//! Connections to the instances of one service: this worker's own, so that taking one costs
//! neither a lock nor a message (hyper's pooled client costs a tenth of a whole proxied request).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use calls::{Balancer, Picked};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::RequestBody;
use crate::config::Service;

/// Most bytes that hyper buffers on one connection.
pub(crate) const BUFFER: usize = 64 * 1024;

/// One service, as one worker sees it.
#[derive(Debug)]
pub(crate) struct Upstream {
    service: Service,
    balancer: RefCell<Balancer>,
    idle: RefCell<HashMap<SocketAddr, Vec<Idle>>>,
    /// Connections on which a request is under way.
    busy: Cell<i64>,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<RequestBody>,
    since: Instant,
}

/// A connection that is this exchange's alone until it is given back.
#[derive(Debug)]
pub(crate) struct Lease {
    sender: Option<SendRequest<RequestBody>>,
    upstream: Rc<Upstream>,
    address: SocketAddr,
}

impl Upstream {
    pub(crate) fn new(service: Service, seed: u64) -> Self {
        let balancer = Balancer::new(service.loads.clone(), seed);
        Self {
            service,
            balancer: RefCell::new(balancer),
            idle: RefCell::default(),
            busy: Cell::new(0),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.service.name
    }

    /// An instance that was not tried. With `or_again`, one that was, if there is no other.
    pub(crate) fn pick(&self, tried: &[SocketAddr], or_again: bool) -> Option<Picked> {
        let endpoints = self.service.endpoints.load();
        let now = Instant::now();
        let mut balancer = self.balancer.borrow_mut();
        let picked = balancer.pick(&endpoints, tried, now);
        picked.or_else(|| {
            or_again
                .then(|| balancer.pick(&endpoints, &[], now))
                .flatten()
        })
    }

    /// A connection to this instance: a kept one, or else a new one.
    pub(crate) async fn lease(
        self: &Rc<Self>,
        address: SocketAddr,
        connect: Duration,
    ) -> io::Result<Lease> {
        // Counted from here, so that a lease that is given up is counted back by its drop.
        let mut lease = Lease {
            sender: None,
            upstream: Rc::clone(self),
            address,
        };
        self.busy.set(self.busy.get() + 1);
        while let Some(mut sender) = self.take_idle(address) {
            if sender.is_ready() || sender.ready().await.is_ok() {
                lease.sender = Some(sender);
                return Ok(lease);
            }
        }
        let socket = tokio::time::timeout(connect, TcpStream::connect(address)).await??;
        socket.set_nodelay(true)?;
        let (sender, connection) = http1::Builder::new()
            .writev(false)
            .max_buf_size(BUFFER)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(io::Error::other)?;
        // How it ends is told to the request under way on it.
        tokio::task::spawn_local(connection);
        lease.sender = Some(sender);
        Ok(lease)
    }

    fn take_idle(&self, address: SocketAddr) -> Option<SendRequest<RequestBody>> {
        let mut idle = self.idle.borrow_mut();
        let kept = idle.get_mut(&address)?;
        // The youngest first: the others may then grow old and be closed.
        while let Some(youngest) = kept.pop() {
            if !youngest.sender.is_closed() {
                return Some(youngest.sender);
            }
        }
        None
    }

    /// Closes every kept connection to an instance.
    pub(super) fn forget(&self, address: SocketAddr) {
        self.idle.borrow_mut().remove(&address);
    }

    /// Closes what was not used for long, what the other side closed, what is more than wanted,
    /// and what belongs to instances that are gone.
    pub(crate) fn sweep(&self, now: Instant, most: usize, longest: Duration) {
        let endpoints = self.service.endpoints.load();
        self.idle.borrow_mut().retain(|address, kept| {
            kept.retain(|idle| {
                !idle.sender.is_closed() && now.saturating_duration_since(idle.since) < longest
            });
            let surplus = kept.len().saturating_sub(most);
            kept.drain(..surplus);
            !kept.is_empty()
                && endpoints
                    .iter()
                    .any(|endpoint| endpoint.address == *address)
        });
    }

    /// Connections kept, and connections in use.
    pub(crate) fn connections(&self) -> (i64, i64) {
        let idle: usize = self.idle.borrow().values().map(Vec::len).sum();
        (i64::try_from(idle).unwrap_or(i64::MAX), self.busy.get())
    }
}

impl Lease {
    pub(super) fn sender(&mut self) -> &mut SendRequest<RequestBody> {
        // A lease without a connection never leaves `Upstream::lease`.
        match &mut self.sender {
            Some(sender) => sender,
            None => unreachable!("a lease holds a connection until it is given back"),
        }
    }

    /// The exchange on this connection is complete: another may follow.
    pub(super) fn give_back(mut self) {
        if let Some(sender) = self.sender.take().filter(|sender| !sender.is_closed()) {
            let mut idle = self.upstream.idle.borrow_mut();
            idle.entry(self.address).or_default().push(Idle {
                sender,
                since: Instant::now(),
            });
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.upstream.busy.set(self.upstream.busy.get() - 1);
    }
}
