//! A client that says exactly what it is told to, byte for byte.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

const LONG: Duration = Duration::from_secs(20);

pub(crate) struct Client {
    from: OwnedReadHalf,
    /// Until it is taken.
    to: Option<OwnedWriteHalf>,
    read: Vec<u8>,
}

/// An answer, as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The trace that every answer names.
    pub(crate) fn trace_id(&self) -> &str {
        let named = self.header("traceresponse").expect("a trace");
        named.split('-').nth(1).expect("a trace id")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that this is a whole problem answer, and gives its code.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert!(
            problem["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        assert_eq!(problem["trace_id"], self.trace_id(), "{self:?}");
        let date = self.header("date").expect("every answer has a date");
        assert!(date.len() == 29 && date.ends_with(" GMT"), "{date}");
        problem["code"].as_str().expect("a code").to_owned()
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (from, to) = socket.into_split();
        Self {
            from,
            to: Some(to),
            read: Vec::new(),
        }
    }

    /// Sends bytes; a connection that the other side has closed already is no error.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let to = self.to.as_mut().expect("the writer was taken");
        let _ = tokio::time::timeout(LONG, to.write_all(bytes.as_ref()))
            .await
            .unwrap();
    }

    /// What writes, for whoever writes and reads at the same time. Dropping it ends the request
    /// side of the connection.
    pub(crate) fn take_writer(&mut self) -> OwnedWriteHalf {
        self.to.take().expect("the writer was taken")
    }

    /// Sends bytes and reads one answer.
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) -> Answer {
        self.send(bytes).await;
        self.answer().await
    }

    /// Reads one answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("an answer before the end")
    }

    /// Reads one answer, if the connection does not end first.
    pub(crate) async fn try_answer(&mut self) -> Option<Answer> {
        loop {
            let end = loop {
                if let Some(end) = find(&self.read, b"\r\n\r\n") {
                    break end;
                }
                if !self.more().await {
                    assert!(self.read.is_empty(), "half an answer: {:?}", self.text());
                    return None;
                }
            };
            let head = String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
            let mut lines = head.split("\r\n");
            let status = lines
                .next()
                .unwrap()
                .split(' ')
                .nth(1)
                .unwrap()
                .parse()
                .unwrap();
            if status == 100 {
                continue;
            }
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect();
            let mut answer = Answer {
                status,
                headers,
                body: Vec::new(),
            };
            answer.body = self.body(&answer).await;
            return Some(answer);
        }
    }

    /// Reads the answer to `HEAD`: its status and the length that it names.
    pub(crate) async fn head(&mut self) -> (u16, Option<String>) {
        let head = self.until(b"\r\n\r\n").await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        (status, length.map(str::to_owned))
    }

    async fn body(&mut self, answer: &Answer) -> Vec<u8> {
        if answer.header("transfer-encoding") == Some("chunked") {
            let mut body = Vec::new();
            loop {
                let line = self.until(b"\r\n").await;
                let size = usize::from_str_radix(line.trim(), 16).unwrap();
                if size == 0 {
                    while self.until(b"\r\n").await != "\r\n" {}
                    return body;
                }
                body.extend(self.exactly(size).await);
                self.exactly(2).await;
            }
        }
        let length = answer
            .header("content-length")
            .map_or(0, |length| length.parse().unwrap());
        self.exactly(length).await
    }

    async fn until(&mut self, mark: &[u8]) -> String {
        loop {
            if let Some(at) = find(&self.read, mark) {
                let line: Vec<u8> = self.read.drain(..at + mark.len()).collect();
                return String::from_utf8(line).unwrap();
            }
            assert!(self.more().await, "broke off: {:?}", self.text());
        }
    }

    async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.more().await, "broke off: {:?}", self.text());
        }
        self.read.drain(..count).collect()
    }

    /// Whether the other side closes without another byte.
    pub(crate) async fn is_closed(&mut self) -> bool {
        self.read.is_empty() && !self.more().await
    }

    /// Everything until the end.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.read)
    }

    /// Reads what is there next; `false` at the end, also if it is an abrupt one.
    pub(crate) async fn more(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let read = tokio::time::timeout(LONG, self.from.read(&mut buffer));
        let count = read.await.expect("neither bytes nor an end").unwrap_or(0);
        self.read.extend_from_slice(&buffer[..count]);
        count > 0
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}
