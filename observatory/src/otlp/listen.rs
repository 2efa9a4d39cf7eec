//! The two ports that receive OTLP, each with its own accept loop.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::ingest::Ingest;
use super::{grpc, http};

/// Connections at once on one port; more wait to be accepted.
const CONNECTIONS: usize = 1024;
/// Calls at once on one HTTP/2 connection.
const STREAMS: u32 = 128;
/// For a client that connects and says nothing, or stops within a head. It also ends idle
/// connections, so it is longer than the usual export intervals (up to 60 s).
const QUIET: Duration = Duration::from_secs(90);
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// What calls that are under way get once the service is to stop.
const DRAIN: Duration = Duration::from_secs(5);
/// After `accept` failed (no more file descriptors, usually).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// gRPC on HTTP/2 without TLS.
    Grpc,
    /// HTTP/1.1, or HTTP/2 without TLS.
    Http,
}

#[derive(Debug)]
pub(crate) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
    protocol: Protocol,
    ingest: Arc<Ingest>,
}

impl Listener {
    pub(crate) async fn bind(
        address: &str,
        protocol: Protocol,
        ingest: Ingest,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Listener {
            listener,
            address,
            protocol,
            ingest: Arc::new(ingest),
        })
    }

    /// Where it listens: with port 0 the port that it was given.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stopping`, then lets what is under way end.
    pub(crate) async fn run(self, stopping: CancellationToken) {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        let connections = TaskTracker::new();
        let accepting = async {
            loop {
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                    return;
                };
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        let served = serve(
                            stream,
                            self.protocol,
                            Arc::clone(&self.ingest),
                            stopping.clone(),
                        );
                        connections.spawn(async move {
                            served.await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        warn!(%error, "an OTLP connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        stopping.run_until_cancelled(accepting).await;
        connections.close();
        if tokio::time::timeout(DRAIN, connections.wait())
            .await
            .is_err()
        {
            warn!(
                connections = connections.len(),
                "OTLP connections did not end in time"
            );
        }
    }
}

async fn serve(
    stream: TcpStream,
    protocol: Protocol,
    ingest: Arc<Ingest>,
    stopping: CancellationToken,
) {
    // Answers are small; waiting to fill a packet only delays them.
    drop(stream.set_nodelay(true));
    // The protocol is told by the first bytes; hyper waits for these without a limit.
    let first = tokio::time::timeout(QUIET, async { stream.peek(&mut [0]).await });
    match stopping.run_until_cancelled(first).await {
        Some(Ok(Ok(1..))) => {}
        _ => return,
    }
    let service = service_fn(move |request| {
        let ingest = Arc::clone(&ingest);
        async move {
            let response = match protocol {
                Protocol::Grpc => grpc::answer(&ingest, request).await,
                Protocol::Http => http::answer(&ingest, request).await,
            };
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(QUIET);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .adaptive_window(true);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(error = %error, "an OTLP connection ended early");
    }
}
