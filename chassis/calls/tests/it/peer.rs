//! A server that answers as badly as it is told to.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What it does with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Does {
    Answer(u16),
    Problem(&'static str),
    /// Half of the requests, in no order that a retry could learn, are answered 500.
    HalfFail,
    /// Closes before it has read anything.
    CloseAtOnce,
    /// Reads the request and closes.
    Close,
    /// Reads the request and resets the connection.
    Reset,
    CloseInHead,
    CloseInBody,
    Hang,
    HangInBody,
    Late(Duration),
    /// An answer of so many bytes.
    Bytes(usize),
    /// The same without telling how many they are.
    Endless,
    Nonsense,
}

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    does: Arc<Mutex<Does>>,
    requests: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Peer {
    pub(crate) async fn start(does: Does) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let does = Arc::new(Mutex::new(does));
        let requests = Arc::default();
        let serving = tokio::spawn({
            let (does, requests) = (Arc::clone(&does), Arc::clone(&requests));
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(converse(stream, Arc::clone(&does), Arc::clone(&requests)));
                }
            }
        });
        Self {
            address,
            does,
            requests,
            serving,
        }
    }

    /// An address where nobody listens.
    pub(crate) async fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    }

    pub(crate) fn does(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }

    /// The requests that it has read since this was last asked, each with its head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn converse(
    mut stream: TcpStream,
    does: Arc<Mutex<Does>>,
    requests: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    loop {
        if matches!(*does.lock().unwrap(), Does::CloseAtOnce) {
            return Ok(());
        }
        let Some(request) = read(&mut stream).await? else {
            return Ok(());
        };
        let number = {
            let mut requests = requests.lock().unwrap();
            requests.push(request);
            requests.len() as u64
        };
        let does = *does.lock().unwrap();
        let mut write = async |text: &str| stream.write_all(text.as_bytes()).await;
        match does {
            Does::Answer(status) => write(&answer(status, "")).await?,
            Does::Problem(code) => {
                let body = format!("{{\"code\":\"{code}\"}}");
                let length = body.len();
                write(&format!(
                    "HTTP/1.1 409 X\r\ncontent-type: application/problem+json\r\n\
                     content-length: {length}\r\n\r\n{body}"
                ))
                .await?;
            }
            Does::HalfFail => {
                // Fibonacci hashing: even, and without a pattern among neighbours.
                let fails = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 1;
                write(&answer(if fails { 500 } else { 200 }, "")).await?;
            }
            Does::CloseAtOnce | Does::Close => return Ok(()),
            Does::Reset => {
                socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
                return Ok(());
            }
            Does::CloseInHead => return write("HTTP/1.1 200 OK\r\ncontent-le").await,
            Does::CloseInBody => {
                return write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await;
            }
            Does::Hang => std::future::pending().await,
            Does::HangInBody => {
                write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await?;
                std::future::pending::<()>().await;
            }
            Does::Late(pause) => {
                tokio::time::sleep(pause).await;
                write(&answer(200, "")).await?;
            }
            Does::Bytes(count) => write(&answer(200, &"x".repeat(count))).await?,
            Does::Endless => {
                write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await?;
                let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
                loop {
                    write(&chunk).await?;
                }
            }
            Does::Nonsense => return write("SSH-2.0-OpenSSH_9.6\r\n").await,
        }
    }
}

fn answer(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// A whole request; `None` when the other side is done.
async fn read(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return Ok(Some(text));
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}
