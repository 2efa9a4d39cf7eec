//! A collector that takes everything, counts it, and runs outside the measured processes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, bail};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

/// Longer requests are not a batch of spans.
const MAX_REQUEST: usize = 64 * 1024 * 1024;

/// An OTLP/HTTP endpoint. Its threads end with the connections.
#[derive(Debug)]
pub(crate) struct Sink {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Of the requests that are decoded already.
    spans: u64,
}

impl Sink {
    pub(crate) fn start() -> Result<Sink> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let requests = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let taken = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taken = Arc::clone(&taken);
                // A connection that breaks off is the measured process's end.
                thread::spawn(move || serve(&stream, &taken));
            }
        });
        Ok(Sink {
            address,
            requests,
            spans: 0,
        })
    }

    /// The spans received so far, decoded by the reference implementation. That takes a while, so
    /// it is asked for when nothing is being measured.
    pub(crate) fn spans(&mut self) -> Result<u64> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = std::mem::take(&mut *requests);
        drop(requests);
        for request in taken {
            let request = ExportTraceServiceRequest::decode(request.as_slice())?;
            let scopes = request.resource_spans.iter().flat_map(|r| &r.scope_spans);
            self.spans += scopes.map(|scope| scope.spans.len() as u64).sum::<u64>();
        }
        Ok(self.spans)
    }
}

fn serve(stream: &TcpStream, taken: &Mutex<Vec<Vec<u8>>>) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let traces = line.contains("/v1/traces");
        let mut length = None;
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.trim().parse::<usize>()?);
            }
        }
        let length = length.context("a request without content-length")?;
        if length > MAX_REQUEST {
            bail!("a request of {length} bytes");
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        if traces {
            taken
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(body);
        }
        writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
    }
}
