use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::bank::{self, Cut};
use crate::book::{Book, BookError};
use crate::options::Options;

/// Why the bank did not run to a clean end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable of the environment cannot be used.
    #[error("{name}: {why}")]
    Variable {
        /// Its name.
        name: String,
        /// What is wrong with its value.
        why: String,
    },
    /// The book cannot be opened.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused what every process needs.
    #[error("cannot start: {0}")]
    Start(#[from] io::Error),
}

/// The whole of the bank's `main`: reads the environment, says `READY` on stdout and serves until
/// SIGTERM, SIGINT or, with `leash`, the end of stdin.
///
/// # Errors
/// It could not start.
pub fn run(leash: bool) -> Result<(), Error> {
    let options = Options::read(|name| std::env::var(name).ok())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let stop = asked_to_stop(leash)?;
        let acquirer = Acquirer::open(&options).await?;
        let ready = json!({
            "service": "acquirer",
            "instance_id": null,
            "public": acquirer.address(),
            "admin": null,
            "addresses": {},
        });
        let mut stdout = io::stdout().lock();
        // Nobody may listen; it serves all the same.
        let _ = writeln!(stdout, "READY {ready}").and_then(|()| stdout.flush());
        drop(stdout);
        acquirer.serve(stop).await;
        Ok(())
    })
}

fn asked_to_stop(leash: bool) -> io::Result<impl Future<Output = ()>> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let (held, released) = oneshot::channel::<()>();
    let unleashed = if leash {
        // A thread of its own: a blocking read on the runtime would hold up its end.
        std::thread::spawn(move || {
            let mut sink = [0; 256];
            while matches!(io::stdin().lock().read(&mut sink), Ok(read) if read > 0) {}
            drop(held);
        });
        None
    } else {
        Some(held)
    };
    Ok(async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
            _ = released => {}
        }
        drop(unleashed);
    })
}

/// A bank that listens.
pub struct Acquirer {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
}

impl Acquirer {
    /// Opens the book and listens.
    ///
    /// # Errors
    /// One of both cannot be done.
    pub async fn open(options: &Options) -> Result<Self, Error> {
        let book = Book::open(&options.book)?;
        let failed = |source| Error::Listen {
            address: options.listen.clone(),
            source,
        };
        let listener = TcpListener::bind(&options.listen).await.map_err(failed)?;
        Ok(Self {
            address: listener.local_addr().map_err(failed)?,
            listener,
            router: bank::router(book, options.moods, &options.token),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` ends, then closes at once: what was answered is in the book.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(serve_one(stream, self.router.clone()));
                    }
                    // Out of file descriptors, most likely: some must be given back first.
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn serve_one(stream: TcpStream, router: Router) {
    // An answer is small; if this fails it is only later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let router = router.clone();
        async move {
            let response = match router.oneshot(request.map(Body::new)).await {
                Ok(response) => response,
                Err(never) => match never {},
            };
            match response.extensions().get::<Cut>() {
                Some(Cut) => Err("cut on purpose"),
                None => Ok(response),
            }
        }
    });
    // Whatever ends a connection, its client knows.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
