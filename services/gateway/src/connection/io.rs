//! The socket under hyper: shows what is read to the watcher of the framing, and puts a problem
//! in place of the bare status with which hyper answers what it cannot parse.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Connection;
use crate::record;

#[derive(Debug)]
pub(super) struct Watched {
    socket: TcpStream,
    connection: Rc<Connection>,
    replacement: Option<Replacement>,
}

/// What is written in place of a buffer of hyper's.
#[derive(Debug)]
struct Replacement {
    bytes: Vec<u8>,
    sent: usize,
    stands_for: usize,
}

impl Watched {
    pub(super) fn new(socket: TcpStream, connection: Rc<Connection>) -> Self {
        Self {
            socket,
            connection,
            replacement: None,
        }
    }

    pub(super) fn into_socket(self) -> TcpStream {
        self.socket
    }

    fn poll_replacement(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(replacement) = &mut self.replacement else {
            return Poll::Ready(Ok(0));
        };
        while replacement.sent < replacement.bytes.len() {
            let rest = &replacement.bytes[replacement.sent..];
            let sent = ready!(Pin::new(&mut self.socket).poll_write(context, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            replacement.sent += sent;
        }
        let stands_for = replacement.stands_for;
        self.replacement = None;
        Poll::Ready(Ok(stands_for))
    }
}

/// Finds hyper's own answer to a head that it cannot parse at the end of what it writes, and its
/// status. It has no body and no `traceresponse`, which every answer of ours has.
fn own_answer(bytes: &[u8]) -> Option<(usize, u16)> {
    const START: &[u8] = b"HTTP/1.";
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let at = bytes
        .windows(START.len())
        .rposition(|window| window == START)?;
    let head = std::str::from_utf8(&bytes[at..]).ok()?;
    let status = head.get(9..12)?.parse().ok()?;
    let is_own = matches!(status, 400 | 414 | 431)
        && head.contains("\r\ncontent-length: 0\r\n")
        && !head.contains("\r\ntraceresponse:")
        && head.find("\r\n\r\n") == Some(head.len() - 4);
    is_own.then_some((at, status))
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        let new = &buffer.filled()[before..];
        if !new.is_empty() {
            self.connection.received(new);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.replacement.is_some() {
            return self.poll_replacement(context);
        }
        if self.connection.may_answer_unparsed()
            && let Some((at, status)) = own_answer(buffer)
        {
            let mut bytes = buffer[..at].to_vec();
            let refusal = self.connection.unparsed(status);
            bytes.extend_from_slice(&record::refuse_unparsed(&self.connection, &refusal));
            self.connection.refused_unparsed.set(true);
            self.replacement = Some(Replacement {
                bytes,
                sent: 0,
                stands_for: buffer.len(),
            });
            return self.poll_replacement(context);
        }
        let written = ready!(Pin::new(&mut self.socket).poll_write(context, buffer))?;
        self.connection.sent(written == buffer.len());
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_hypers_own_is_found_behind_one_of_ours() {
        let own = "HTTP/1.1 431 Request Header Fields Too Large\r\n\
            connection: close\r\ncontent-length: 0\r\ndate: x\r\n\r\n";
        assert_eq!(own_answer(own.as_bytes()), Some((0, 431)));
        let ours = "HTTP/1.1 204 No Content\r\ntraceresponse: x\r\n\r\n";
        let both = format!("{ours}{own}");
        assert_eq!(own_answer(both.as_bytes()), Some((ours.len(), 431)));
        for other in [
            ours,
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\ntraceresponse: x\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "",
        ] {
            assert_eq!(own_answer(other.as_bytes()), None, "{other}");
        }
    }
}
