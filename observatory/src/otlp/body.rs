//! Request bodies, read and unpacked within limits.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http_body::Body;
use http_body_util::BodyExt as _;

/// How much of a request is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of a message, before and after decompression.
    pub message: usize,
    /// Time for the whole body to arrive.
    pub read: Duration,
}

/// Why a body cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the request is larger than the limit of {0} bytes")]
    TooLarge(usize),
    #[error("the request did not arrive in time")]
    Slow,
    #[error("the connection broke before the request was whole")]
    Broken,
    #[error("the request cannot be decompressed")]
    Packed,
    #[error("too many requests are being read at once")]
    Overload,
}

/// Bounds the bytes of all requests that are being read or unpacked.
#[derive(Debug, Clone)]
pub(crate) struct Inflight {
    used: Arc<AtomicUsize>,
    limit: usize,
}

/// A share of [`Inflight`], given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    of: Inflight,
    bytes: usize,
}

impl Inflight {
    pub(crate) fn new(limit: usize) -> Self {
        Inflight {
            used: Arc::default(),
            limit,
        }
    }

    pub(crate) fn share(&self) -> Share {
        Share {
            of: self.clone(),
            bytes: 0,
        }
    }
}

impl Share {
    fn add(&mut self, bytes: usize) -> Result<(), BodyError> {
        // Only the sum matters: nothing else is published through this counter.
        let before = self.of.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before.saturating_add(bytes) > self.of.limit {
            Err(BodyError::Overload)
        } else {
            Ok(())
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read<B>(
    mut body: B,
    limits: Limits,
    limit: usize,
    share: &mut Share,
) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge(limits.message));
    }
    let whole = async {
        let mut first = Bytes::new();
        let mut more = Vec::new();
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else {
                continue;
            };
            length += data.len();
            if length > limit {
                return Err(BodyError::TooLarge(limits.message));
            }
            share.add(data.len())?;
            // A body of one frame is kept as it came.
            if first.is_empty() {
                first = data;
            } else {
                if more.is_empty() {
                    more.extend_from_slice(&first);
                }
                more.extend_from_slice(&data);
            }
        }
        Ok(if more.is_empty() { first } else { more.into() })
    };
    tokio::time::timeout(limits.read, whole)
        .await
        .map_err(|_| BodyError::Slow)?
}

/// Reads a body and forgets it; it may be as long as `limit`.
pub(crate) async fn discard<B>(mut body: B, limits: Limits) -> Result<(), BodyError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let whole = async {
        let mut length = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| BodyError::Broken)?;
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > limits.message {
                return Err(BodyError::TooLarge(limits.message));
            }
        }
        Ok(())
    };
    tokio::time::timeout(limits.read, whole)
        .await
        .map_err(|_| BodyError::Slow)?
}

/// How a message is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    /// What HTTP and gRPC call `deflate`.
    Zlib,
}

impl Packing {
    /// `None`: an encoding that is not known here.
    pub(crate) fn named(encoding: &[u8]) -> Option<Self> {
        match encoding.to_ascii_lowercase().as_slice() {
            b"" | b"identity" => Some(Packing::None),
            b"gzip" => Some(Packing::Gzip),
            b"deflate" => Some(Packing::Zlib),
            _ => None,
        }
    }

    /// The message, of at most `limit` bytes. Memory grows with what comes out: a small bomb
    /// stays small until it is refused.
    pub(crate) fn unpack(
        self,
        packed: &Bytes,
        limit: usize,
        share: &mut Share,
    ) -> Result<Bytes, BodyError> {
        match self {
            Packing::None => Ok(packed.clone()),
            Packing::Gzip => inflate(MultiGzDecoder::new(&packed[..]), limit, share),
            Packing::Zlib => inflate(ZlibDecoder::new(&packed[..]), limit, share),
        }
    }
}

fn inflate(mut decoder: impl Read, limit: usize, share: &mut Share) -> Result<Bytes, BodyError> {
    let mut unpacked = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        match decoder.read(&mut piece).map_err(|_| BodyError::Packed)? {
            0 => return Ok(unpacked.into()),
            length if unpacked.len() + length > limit => return Err(BodyError::TooLarge(limit)),
            length => {
                share.add(length)?;
                unpacked.extend_from_slice(&piece[..length]);
            }
        }
    }
}
