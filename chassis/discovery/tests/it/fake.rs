//! A registry that says what a test tells it to, on a port of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use discovery::RegistryClient;
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// What the registry does with a request that is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Fine,
    /// 404 to heartbeats.
    Forgetful,
    /// 503 to everything.
    Broken,
    /// Takes requests and never answers.
    Hanging,
}

#[derive(Clone)]
struct Shared {
    mood: watch::Sender<Mood>,
    seen: mpsc::UnboundedSender<String>,
    streams: mpsc::UnboundedSender<Stream>,
}

/// A stream that a client has opened.
pub(crate) struct Stream {
    pub(crate) path: String,
    pieces: mpsc::UnboundedSender<Bytes>,
}

impl Stream {
    pub(crate) fn send(&self, event: &str, data: &str) {
        self.send_raw(&format!("event: {event}\ndata: {data}\n\n"));
    }

    pub(crate) fn send_raw(&self, text: &str) {
        self.pieces.send(Bytes::from(text.to_owned())).unwrap();
    }

    /// Returns when the client has hung up.
    pub(crate) async fn closed(&self) {
        within(self.pieces.closed()).await;
    }
}

pub(crate) struct Fake {
    address: SocketAddr,
    mood: watch::Sender<Mood>,
    seen: mpsc::UnboundedReceiver<String>,
    streams: mpsc::UnboundedReceiver<Stream>,
    shared: Shared,
    server: JoinHandle<()>,
}

impl Fake {
    pub(crate) async fn start() -> Self {
        let (seen_by, seen) = mpsc::unbounded_channel();
        let (opened, streams) = mpsc::unbounded_channel();
        let mood = watch::Sender::new(Mood::Fine);
        let shared = Shared {
            mood: mood.clone(),
            seen: seen_by,
            streams: opened,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, shared.clone()));
        Self {
            address,
            mood,
            seen,
            streams,
            shared,
            server,
        }
    }

    pub(crate) fn client(&self) -> RegistryClient {
        client_of(self.address)
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// The next request that is no stream: `METHOD path`.
    pub(crate) async fn request(&mut self) -> String {
        within(self.seen.recv()).await.unwrap()
    }

    /// The next stream that a client opens.
    pub(crate) async fn stream(&mut self) -> Stream {
        within(self.streams.recv()).await.unwrap()
    }

    pub(crate) async fn kill(&mut self) {
        self.server.abort();
        assert!((&mut self.server).await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn revive(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.server = tokio::spawn(serve(listener, self.shared.clone()));
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) fn client_of(address: SocketAddr) -> RegistryClient {
    let http = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).build();
    RegistryClient::new(&format!("http://{address}/"), http, None)
}

/// A test that hangs is a test that fails.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("in time")
}

/// Connections end with the server: the process is gone, not just its listener.
async fn serve(listener: TcpListener, shared: Shared) {
    let router = Router::new().fallback(answer).with_state(shared);
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        connections.spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(socket), service),
        );
    }
}

async fn answer(State(shared): State<Shared>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let mood = *shared.mood.borrow();
    match mood {
        Mood::Hanging => {
            let mut moods = shared.mood.subscribe();
            moods.wait_for(|mood| *mood != Mood::Hanging).await.unwrap();
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Mood::Broken => {
            let _ = shared.seen.send(format!("{} {path}", request.method()));
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Mood::Fine | Mood::Forgetful => {}
    }
    if path.ends_with("/watch") {
        let (pieces, sent) = mpsc::unbounded_channel::<Bytes>();
        let _ = shared.streams.send(Stream { path, pieces });
        let body = stream::unfold(sent, |mut sent| async {
            sent.recv()
                .await
                .map(|piece| (Ok::<_, Infallible>(piece), sent))
        });
        return Body::from_stream(body).into_response();
    }
    let answer = match *request.method() {
        Method::POST => (StatusCode::CREATED, r#"{"ttl_ms":60}"#),
        Method::PUT if mood == Mood::Forgetful => {
            (StatusCode::NOT_FOUND, r#"{"code":"unknown_instance"}"#)
        }
        Method::PUT => (StatusCode::OK, r#"{"ttl_ms":60}"#),
        _ => (StatusCode::NO_CONTENT, ""),
    };
    let _ = shared.seen.send(format!("{} {path}", request.method()));
    answer.into_response()
}
