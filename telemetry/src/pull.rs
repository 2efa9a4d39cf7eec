//! The metrics page on a listener of its own, by the
//! [specification](https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/prometheus/).
//!
//! It serves from a thread of its own, to few at a time and to nobody for long: whoever finds the
//! port cannot slow the service down.

use crate::core::Alive;
use crate::settings::Prometheus;
use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{sleep, timeout};

/// Connections at the same time; further ones wait.
const MAX_CONNECTIONS: usize = 8;
/// For one request, from its connection to the last byte of the page.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two attempts to accept, when the process is out of files.
const PAUSE: Duration = Duration::from_millis(100);

/// A listener; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Pull {
    address: SocketAddr,
    _stop: oneshot::Sender<Infallible>,
}

impl Pull {
    /// Listens as the settings say. The page is that of `core`, as long as there is one.
    pub(crate) fn start(settings: &Prometheus, core: &Arc<Alive>) -> io::Result<Pull> {
        let listener = TcpListener::bind((settings.host.as_str(), settings.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let core = Arc::downgrade(core);
        std::thread::Builder::new()
            .name("telemetry-pull".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        _ = stopped => {}
                        Err(error) = serve(listener, core) => {
                            tracing::error!(%error, "metrics cannot be pulled");
                        }
                    }
                });
            })?;
        Ok(Pull {
            address,
            _stop: stop,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: TcpListener, core: Weak<Alive>) -> io::Result<Infallible> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            continue;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let core = core.clone();
                tokio::spawn(async move {
                    // A scraper that is slow or away loses its page, which is all there is to do.
                    let _ = timeout(PATIENCE, connection(stream, core)).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection for metrics failed");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, core: Weak<Alive>) -> hyper::Result<()> {
    let answer = service_fn(|request| {
        let answer = answer(&request, &core);
        async { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await
}

fn answer<B>(request: &Request<B>, core: &Weak<Alive>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    if request.uri().path() != "/metrics" {
        *answer.status_mut() = StatusCode::NOT_FOUND;
        return answer;
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        let allowed = HeaderValue::from_static("GET, HEAD");
        answer.headers_mut().insert(ALLOW, allowed);
        return answer;
    }
    let Some(core) = core.upgrade() else {
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return answer;
    };
    let accept = request.headers().get(ACCEPT);
    let page = core.metrics_page(accept.and_then(|accept| accept.to_str().ok()));
    let content_type = HeaderValue::from_static(page.content_type);
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    *answer.body_mut() = Full::new(page.body.into());
    answer
}
