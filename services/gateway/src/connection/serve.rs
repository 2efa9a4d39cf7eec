//! Runs hyper over one connection, until either is done with the other.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::io::Watched;
use super::{Connection, Phase};
use crate::exchange;
use crate::record;
use crate::refusal::Refusal;
use crate::upstream;
use crate::worker::Worker;

/// How long, and for how many bytes, what a client still sends is thrown away after the last
/// answer, so that the answer reaches it.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 4 << 20;

/// How a connection came to its end.
enum End {
    /// Both sides are done.
    Done,
    Failed(hyper::Error),
    /// Its phase took too long.
    Overdue(Phase),
}

/// Serves a connection until it ends.
pub(crate) async fn serve(connection: Rc<Connection>, socket: TcpStream) {
    let io = TokioIo::new(Watched::new(socket, Rc::clone(&connection)));
    let service = {
        let connection = Rc::clone(&connection);
        service_fn(move |request| exchange::answer(Rc::clone(&connection), request))
    };
    let limits = connection.worker.shared.limits;
    let mut http = http1::Builder::new()
        .max_headers(limits.max_headers)
        .max_header_size(limits.max_header_bytes)
        // Times are kept by the worker's clock, at no cost for each request.
        .header_read_timeout(None)
        .max_buf_size(upstream::BUFFER.max(limits.max_header_bytes))
        // One buffer is cheaper than a list of small ones.
        .writev(false)
        .serve_connection(io, service);

    let mut told_to_drain = false;
    let end = poll_fn(|context: &mut Context<'_>| {
        connection.remember(context);
        if connection.worker.draining.get() && !told_to_drain {
            told_to_drain = true;
            Pin::new(&mut http).graceful_shutdown();
        }
        let phase = connection.phase.get();
        if connection.overdue.get() && phase != Phase::Request {
            return Poll::Ready(End::Overdue(phase));
        }
        match Pin::new(&mut http).poll(context) {
            Poll::Ready(Ok(())) => Poll::Ready(End::Done),
            Poll::Ready(Err(error)) => Poll::Ready(End::Failed(error)),
            // The request was told and did not end: an earlier answer is in its way.
            Poll::Pending if connection.overdue.get() && connection.phase.get() == phase => {
                Poll::Ready(End::Overdue(phase))
            }
            Poll::Pending => Poll::Pending,
        }
    })
    .await;

    let socket = http.into_parts().io.into_inner().into_socket();
    let refusal = match end {
        End::Overdue(Phase::Head) => Some(Refusal::HeadTimeout),
        End::Overdue(_) => return,
        End::Failed(error) if error.is_parse() && !connection.refused_unparsed.get() => {
            Some(connection.unparsed(0))
        }
        End::Done | End::Failed(_) => None,
    };
    let lingers = connection.lingers.get() || connection.refused_unparsed.get();
    if let Some(refusal) = refusal {
        let answer = record::refuse_unparsed(&connection, &refusal);
        let _ = say_last(socket, &answer).await;
    } else if lingers {
        let _ = say_last(socket, b"").await;
    }
}

/// Answers a connection that there is no room for.
pub(crate) async fn turn_away(worker: Rc<Worker>, socket: TcpStream, peer: SocketAddr) {
    let connection = Connection::new(worker, peer);
    let answer = record::refuse_unparsed(&Rc::new(connection), &Refusal::TooManyConnections);
    let _ = say_last(socket, &answer).await;
}

/// Writes a last answer and closes so that it arrives (RFC 9112, 9.6).
async fn say_last(mut socket: TcpStream, answer: &[u8]) -> io::Result<()> {
    tokio::time::timeout(LINGER, async {
        socket.write_all(answer).await?;
        socket.shutdown().await?;
        let mut thrown_away = 0;
        let mut buffer = [0; 4096];
        while thrown_away < LINGER_BYTES {
            match socket.read(&mut buffer).await? {
                0 => break,
                count => thrown_away += count,
            }
        }
        Ok(())
    })
    .await
    .unwrap_or(Ok(()))
}
