//! Watches the bytes that a client sends, beside hyper, for what hyper puts right silently or
//! answers without saying why: a message whose length is said twice, an unknown version, where a
//! head stopped.
//!
//! It decides nothing about well-formed requests and copies nothing unless a head arrives in
//! pieces. What it does not follow (it lost the thread of the framing) is refused, never
//! guessed at.

mod chunks;

use chunks::{Chunks, Step};
use memchr::memchr;

/// Bytes of a header line that must be seen to judge it.
const LINE: usize = 128;

/// Why a head that hyper accepts is refused all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `Content-Length` twice, or beside `Transfer-Encoding` (RFC 9112, 6.3): the classic means
    /// of request smuggling.
    AmbiguousLength,
    /// A transfer coding other than `chunked` alone.
    TransferCoding,
}

/// How far a client has come in what it sends.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    at: At,
    head: Head,
    /// Complete heads seen on this connection.
    heads: u64,
    fault: Option<(u64, Fault)>,
    /// A request line named a version that is not spoken here.
    other_version: bool,
    /// Bytes of the last request line.
    first_line: usize,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum At {
    #[default]
    Head,
    Body(u64),
    Chunked(Chunks),
    Lost,
}

#[derive(Debug, Default)]
struct Head {
    /// Bytes seen of this head, leading empty lines aside.
    seen: usize,
    lines: usize,
    /// The beginning of a line that came in pieces.
    partial: Vec<u8>,
    in_pieces: bool,
    lengths: u32,
    length: Option<u64>,
    codings: u32,
    other_coding: bool,
}

impl Framing {
    /// Takes the bytes that were just read.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match &mut self.at {
                At::Head => self.head_line(bytes),
                At::Body(left) => {
                    let taken = bytes
                        .len()
                        .min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= taken as u64;
                    if *left == 0 {
                        self.at = At::Head;
                    }
                    &bytes[taken..]
                }
                At::Chunked(chunks) => match chunks.feed(bytes) {
                    Step::Goes => return,
                    Step::Ends(rest) => {
                        self.at = At::Head;
                        rest
                    }
                    Step::Broken => {
                        self.lose();
                        return;
                    }
                },
                At::Lost => return,
            };
        }
    }

    /// Bytes of a head have come, but not all of it.
    pub(crate) fn is_mid_head(&self) -> bool {
        self.at == At::Head && self.head.seen > 0
    }

    /// Bytes of the last request line, as far as it has come.
    pub(crate) fn first_line(&self) -> usize {
        if self.head.lines == 0 && self.head.seen > 0 {
            self.head.seen
        } else {
            self.first_line
        }
    }

    /// A request line named a version of HTTP that is not spoken here.
    pub(crate) fn is_other_version(&self) -> bool {
        self.other_version
    }

    /// Complete heads seen so far.
    pub(crate) fn heads(&self) -> u64 {
        self.heads
    }

    /// What is wrong with the `number`th head, counted from one.
    pub(crate) fn fault(&self, number: u64) -> Option<Fault> {
        match self.fault {
            // Whatever follows a fault is not to be trusted either.
            Some((first, fault)) if first <= number => Some(fault),
            _ => None,
        }
    }

    /// Takes one line, or the part of it that is there; gives back the rest.
    fn head_line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = memchr(b'\n', bytes) else {
            self.keep_part(bytes);
            self.head.in_pieces = true;
            self.head.seen += bytes.len();
            return &[];
        };
        let (line, rest) = bytes.split_at(end);
        let rest = &rest[1..];
        self.head.seen += line.len();
        if self.head.in_pieces {
            let mut whole = std::mem::take(&mut self.head.partial);
            let room = (2 * LINE).saturating_sub(whole.len());
            whole.extend_from_slice(&line[line.len().saturating_sub(room)..]);
            self.head.in_pieces = false;
            self.head_whole_line(&whole);
            whole.clear();
            self.head.partial = whole;
        } else {
            self.head_whole_line(line);
        }
        rest
    }

    /// Of a request line its end counts, where the version is; of others their beginning.
    fn keep_part(&mut self, bytes: &[u8]) {
        let partial = &mut self.head.partial;
        if self.head.lines == 0 {
            partial.extend_from_slice(&bytes[bytes.len().saturating_sub(LINE)..]);
            let surplus = partial.len().saturating_sub(LINE);
            partial.drain(..surplus);
        } else {
            let room = LINE.saturating_sub(partial.len());
            partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    fn head_whole_line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            if self.head.lines == 0 {
                // Empty lines before a request are passed over (RFC 9112, 2.2).
                self.head.seen = 0;
            } else {
                self.end_of_head();
            }
            return;
        }
        self.head.lines += 1;
        if self.head.lines == 1 {
            // Once is enough: nothing that follows such a head makes sense.
            self.other_version |= is_other_version(line);
            self.first_line = self.head.seen;
            return;
        }
        // Only two names matter, and they are told apart by their first letter.
        match line[0] | 0x20 {
            b't' => {
                if let Some(value) = value_of(line, b"transfer-encoding") {
                    self.head.codings += 1;
                    self.head.other_coding |= !value.eq_ignore_ascii_case(b"chunked");
                }
            }
            b'c' => {
                if let Some(value) = value_of(line, b"content-length") {
                    self.head.lengths += 1;
                    self.head.length = std::str::from_utf8(value).ok().and_then(|v| v.parse().ok());
                }
            }
            _ => {}
        }
    }

    fn end_of_head(&mut self) {
        let mut head = std::mem::take(&mut self.head);
        self.head.partial = std::mem::take(&mut head.partial);
        self.heads += 1;
        let fault = match (head.lengths, head.codings) {
            (0 | 1, 0) => None,
            (0, 1) if !head.other_coding => None,
            (0, _) => Some(Fault::TransferCoding),
            _ => Some(Fault::AmbiguousLength),
        };
        if let Some(fault) = fault
            && self.fault.is_none()
        {
            self.fault = Some((self.heads, fault));
        }
        self.at = match (fault, head.codings, head.length) {
            (Some(_), _, _) => At::Lost,
            (None, 1, _) => At::Chunked(Chunks::new()),
            (None, _, Some(length)) if length > 0 => At::Body(length),
            (None, _, _) => At::Head,
        };
    }

    /// A body is not chunked as it should be. hyper reports that itself; any head after it would
    /// be a guess.
    fn lose(&mut self) {
        self.at = At::Lost;
        let next = self.heads + 1;
        self.fault.get_or_insert((next, Fault::AmbiguousLength));
    }
}

/// The value of a header line with this (lowercase) name.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    if !found.eq_ignore_ascii_case(name) {
        return None;
    }
    rest.strip_prefix(b":").map(<[u8]>::trim_ascii)
}

/// Whether a request line ends in a version other than 1.0 and 1.1.
fn is_other_version(line: &[u8]) -> bool {
    let word = line.rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    word.starts_with(b"HTTP/") && word != b"HTTP/1.1" && word != b"HTTP/1.0"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_between_requests(framing: &Framing) -> bool {
        framing.at == At::Head && framing.head.seen == 0
    }

    /// The same bytes at once, and in pieces of every size up to 40.
    fn in_all_pieces(bytes: &[u8], check: impl Fn(&Framing, usize)) {
        for size in (1..40).chain([bytes.len()]) {
            let mut framing = Framing::default();
            for piece in bytes.chunks(size) {
                framing.feed(piece);
            }
            check(&framing, size);
        }
    }

    #[test]
    fn pipelined_requests_of_every_kind_are_counted() {
        let bytes = b"\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n\
            POST /x HTTP/1.1\r\nContent-Length: 30\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n..\n\
            POST /y HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n5;ext=\"1\"\r\nhe\r\no\r\nA\r\n0123456789\r\n0\r\nx: y\r\n\r\n\
            GET /z HTTP/1.0\r\n\r\n";
        in_all_pieces(bytes, |framing, size| {
            assert_eq!(framing.heads(), 4, "pieces of {size}");
            assert!(
                is_between_requests(framing),
                "pieces of {size}: {framing:?}"
            );
            assert_eq!(framing.fault(4), None);
        });
    }

    #[test]
    fn a_length_said_twice_is_a_fault() {
        let both: &[&str] = &[
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nX: y\r\ncontent-length: 5",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5\r\nContent-Length: 6",
            "transfer-encoding:\tchunked\r\ntransfer-encoding: chunked\r\ncontent-length:0",
        ];
        for lines in both {
            let text = format!("GET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\n{lines}\r\n\r\n0\r\n\r\n");
            in_all_pieces(text.as_bytes(), |framing, size| {
                assert_eq!(framing.fault(1), None, "{lines}");
                let found = framing.fault(2);
                assert_eq!(
                    found,
                    Some(Fault::AmbiguousLength),
                    "{lines:?} in pieces of {size}"
                );
            });
        }
    }

    #[test]
    fn only_chunked_alone_is_known() {
        for coding in [
            "gzip, chunked",
            "chunked, chunked",
            "identity",
            "xchunked",
            "chunked\r\ntransfer-encoding: chunked",
        ] {
            let text = format!("POST / HTTP/1.1\r\nTransfer-Encoding: {coding}\r\n\r\n");
            in_all_pieces(text.as_bytes(), |framing, _| {
                assert_eq!(framing.fault(1), Some(Fault::TransferCoding), "{coding}");
            });
        }
    }

    #[test]
    fn names_that_only_look_alike_do_not_count() {
        let lines = "Content-Lengthy: 5\r\nX-Content-Length: 5\r\nTransfer-Encodings: x\r\n\
            content-type: transfer-encoding: chunked\r\nC: content-length: 5\r\nt: x\r\nc:";
        let text = format!(
            "POST /{} HTTP/1.1\r\ncontent-length: 0\r\n{lines}\r\n\r\n",
            "p".repeat(500)
        );
        in_all_pieces(text.as_bytes(), |framing, size| {
            assert_eq!(framing.fault(1), None, "pieces of {size}");
            assert!(is_between_requests(framing), "{framing:?}");
        });
    }

    #[test]
    fn broken_chunks_make_every_later_head_a_fault() {
        for body in [
            "x\r\n",
            "\r\n",
            "5\r\nhelloX",
            "fffffffffffffffff\r\n",
            "-1\r\n",
        ] {
            let text = format!(
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{body}GET / HTTP/1.1\r\n\r\n"
            );
            in_all_pieces(text.as_bytes(), |framing, _| {
                assert_eq!(framing.fault(1), None);
                assert!(framing.fault(2).is_some(), "{body:?}: {framing:?}");
            });
        }
    }

    #[test]
    fn it_says_where_a_head_stopped_and_what_version_it_names() {
        let after = |text: &str| {
            let mut framing = Framing::default();
            framing.feed(text.as_bytes());
            framing
        };
        assert!(is_between_requests(&after("")));
        assert!(is_between_requests(&after("\r\n\r\n")));
        assert_eq!(after("GET /xxxxxx").first_line(), 11);
        assert!(after("GET / HTTP/1.1\r\nhost").is_mid_head());
        assert_eq!(after("GET / HTTP/1.1\nhost: a\r\n\r\n").first_line(), 14);
        assert!(after("GET / HTTP/2.0\r\nhost").is_other_version());
        assert!(after("PRI * HTTP/2.0\r\n").is_other_version());
        assert!(!after("GET / HTTP/1.1\r\n").is_other_version());
        assert!(!after("GET /\r\n").is_other_version());
        let long = format!("GET /{} HTTP/3\r\n", "x".repeat(9000));
        in_all_pieces(long.as_bytes(), |framing, size| {
            assert!(framing.is_other_version(), "pieces of {size}");
        });
    }

    /// Fragments of good and bad requests, put together at random: how the bytes are cut into
    /// reads must not matter, and nothing panics.
    #[test]
    fn how_bytes_are_cut_does_not_matter() {
        const FRAGMENTS: &[&[u8]] = &[
            b"GET / HTTP/1.1\r\n",
            b"POST /x HTTP/1.1\r\n",
            b"PUT / HTTP/9.9\n",
            b"host: a\r\n",
            b"Content-Length: 5\r\n",
            b"content-length: 0\r\n",
            b"content-length: x\n",
            b"Transfer-Encoding: chunked\r\n",
            b"transfer-encoding: gzip\r\n",
            b"\r\n",
            b"\n",
            b"\r",
            b"hello",
            b"5\r\nhello\r\n",
            b"0\r\n\r\n",
            b"a;b=c\r\n0123456789\r\n",
            b"ffffffffffffffffffff\r\n",
            b"\0\xff:\t ",
        ];
        let mut random = 42_u64;
        let mut draw = |bound: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(random >> 33).unwrap() % bound
        };
        for _ in 0..5_000 {
            let parts: Vec<&[u8]> = (0..1 + draw(12))
                .map(|_| FRAGMENTS[draw(FRAGMENTS.len())])
                .collect();
            let bytes = parts.concat();
            let mut whole = Framing::default();
            whole.feed(&bytes);
            let mut cut = Framing::default();
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(1 + draw(rest.len()));
                cut.feed(piece);
                rest = later;
            }
            let text = String::from_utf8_lossy(&bytes);
            assert_eq!(whole.heads(), cut.heads(), "{text:?}");
            assert_eq!(whole.fault, cut.fault, "{text:?}");
            assert_eq!(whole.at, cut.at, "{text:?}");
            assert_eq!(whole.other_version, cut.other_version, "{text:?}");
        }
    }
}
