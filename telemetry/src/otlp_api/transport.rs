//! The way of the SDK's exporters to the collector: they encode, our own client delivers, by every
//! protocol and with everything that the settings allow.

use crate::export::client::Client;
use async_trait::async_trait;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::CONTENT_ENCODING;
use http::{HeaderValue, Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use std::io::{self, Read};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// An HTTP client that looks only at the bodies of requests. A thread of its own sends them, so
/// that it can be driven by any executor: the SDK's processors run on plain threads.
#[derive(Debug)]
pub(super) struct Transport {
    jobs: mpsc::Sender<Job>,
}

/// A request to be delivered; `done` is dropped unanswered if it was not.
#[derive(Debug)]
struct Job {
    request: Bytes,
    done: oneshot::Sender<()>,
}

/// The collector did not take a request in time.
#[derive(Debug, thiserror::Error)]
#[error("not delivered in time")]
struct Undelivered;

/// A request is packed in a way that nobody asked for.
#[derive(Debug, thiserror::Error)]
#[error("requests cannot be packed as {0:?}")]
struct Packed(String);

impl Transport {
    /// Delivers by `client`; each request is tried for no longer than `timeout`.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(super) fn start(client: Client, timeout: Duration) -> io::Result<Transport> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let (jobs, asked) = mpsc::channel(1);
        std::thread::Builder::new()
            .name("telemetry-otlp-api".to_owned())
            .spawn(move || {
                // What exporting has to say is not exported.
                let _quiet = opentelemetry::Context::enter_telemetry_suppressed_scope();
                runtime.block_on(run(client, timeout, asked));
                // A name that is still being looked up is waited for by nobody.
                runtime.shutdown_background();
            })?;
        Ok(Transport { jobs })
    }
}

async fn run(mut client: Client, timeout: Duration, mut asked: mpsc::Receiver<Job>) {
    while let Some(Job { request, mut done }) = asked.recv().await {
        let end = Instant::now() + timeout;
        let settled = tokio::select! {
            decided = client.deliver(&request, end, true) => decided.is_some(),
            () = done.closed() => false,
        };
        if settled {
            // Whoever asked may have gone away.
            let _ = done.send(());
        }
    }
}

#[async_trait]
impl HttpClient for Transport {
    /// An answer means that the collector is done with the request; what it refused for good is
    /// logged by our client.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = unpack(request)?;
        let (done, answer) = oneshot::channel();
        let job = Job { request, done };
        self.jobs.send(job).await.map_err(|_| Undelivered)?;
        answer.await.map_err(|_| Undelivered)?;
        Ok(Response::default())
    }
}

/// Packing is our client's business. The exporters do it all the same if the environment says so
/// and some other crate of the build has switched it on in them.
fn unpack(request: Request<Bytes>) -> Result<Bytes, HttpError> {
    let (head, body) = request.into_parts();
    match head
        .headers
        .get(CONTENT_ENCODING)
        .map(HeaderValue::as_bytes)
    {
        None => Ok(body),
        Some(b"gzip") => {
            let mut unpacked = Vec::new();
            GzDecoder::new(&body[..]).read_to_end(&mut unpacked)?;
            Ok(unpacked.into())
        }
        Some(other) => Err(Packed(String::from_utf8_lossy(other).into_owned()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::write::GzEncoder;
    use std::io::Write;

    #[test]
    fn what_the_exporters_have_packed_is_unpacked() {
        let packed = |name: &str, body: Vec<u8>| {
            Request::post("/")
                .header(CONTENT_ENCODING, name)
                .body(Bytes::from(body))
                .unwrap()
        };
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"request").unwrap();
        let gzip = encoder.finish().unwrap();
        assert_eq!(unpack(packed("gzip", gzip)).unwrap(), "request");
        let plain = Request::new(Bytes::from_static(b"request"));
        assert_eq!(unpack(plain).unwrap(), "request");
        let refused = unpack(packed("zstd", b"request".to_vec())).unwrap_err();
        assert_eq!(refused.to_string(), "requests cannot be packed as \"zstd\"");
        assert!(unpack(packed("gzip", b"request".to_vec())).is_err());
    }
}
