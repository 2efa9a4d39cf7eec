//! One JSON line a request, formatted into a buffer of the worker's own and handed on in
//! batches: no lock, no system call and no waiting on the way of a request.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use http::StatusCode;
use telemetry::context::{SpanId, TraceId};
use telemetry::log::{self, LineWriter};

/// With this many bytes waiting, a batch is handed on before its tick.
const BATCH: usize = 16 * 1024;
/// Longest part of a path that is logged, in bytes.
const PATH: usize = 1_024;

/// What one line says.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) client: IpAddr,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) route: Option<&'a str>,
    pub(crate) status: StatusCode,
    pub(crate) duration: Duration,
    pub(crate) service: Option<&'a str>,
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) member: Option<&'a str>,
    pub(crate) bytes: u64,
    pub(crate) error: Option<&'a str>,
    pub(crate) fallback: Option<&'a str>,
}

/// The access log of one worker.
#[derive(Debug)]
pub(crate) struct AccessLog {
    waiting: RefCell<String>,
    lines: LineWriter,
}

impl AccessLog {
    pub(crate) fn new(lines: LineWriter) -> Self {
        Self {
            waiting: RefCell::default(),
            lines,
        }
    }

    pub(crate) fn write(&self, line: &Line<'_>) {
        let mut waiting = self.waiting.borrow_mut();
        line.format(&mut waiting, SystemTime::now());
        if waiting.len() >= BATCH {
            self.lines.write(waiting.as_bytes());
            waiting.clear();
        }
    }

    /// Hands on what waits.
    pub(crate) fn flush(&self) {
        let mut waiting = self.waiting.borrow_mut();
        self.lines.write(waiting.as_bytes());
        waiting.clear();
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Line<'_> {
    fn format(&self, out: &mut String, now: SystemTime) {
        let level = if self.status.is_server_error() {
            "WARN"
        } else {
            "INFO"
        };
        out.push_str("{\"timestamp\":\"");
        out.push_str(std::str::from_utf8(&log::rfc3339(now)).unwrap_or_default());
        out.push_str("\",\"level\":\"");
        out.push_str(level);
        out.push_str("\",\"target\":\"access\",\"message\":\"request\",\"service\":\"gateway\"");
        // Writing to a string does not fail.
        let _ = write!(
            out,
            ",\"trace_id\":\"{}\",\"span_id\":\"{}\",\"client.address\":\"{}\"",
            self.trace_id, self.span_id, self.client
        );
        text(out, "http.request.method", self.method);
        let cut = self.path.floor_char_boundary(PATH);
        text(out, "url.path", &self.path[..cut]);
        if let Some(route) = self.route {
            text(out, "http.route", route);
        }
        let _ = write!(
            out,
            ",\"http.response.status_code\":{},\"duration_us\":{}",
            self.status.as_u16(),
            self.duration.as_micros()
        );
        if let Some(service) = self.service {
            text(out, "peer.service", service);
        }
        if let Some(upstream) = self.upstream {
            let _ = write!(out, ",\"upstream.address\":\"{upstream}\"");
        }
        if let Some(member) = self.member {
            text(out, "enduser.id", member);
        }
        let _ = write!(out, ",\"http.response.body.size\":{}", self.bytes);
        if let Some(error) = self.error {
            text(out, "error.type", error);
        }
        if let Some(fallback) = self.fallback {
            text(out, "citywatch.fallback", fallback);
        }
        out.push_str("}\n");
    }
}

fn text(out: &mut String, key: &str, value: &str) {
    out.push_str(",\"");
    out.push_str(key);
    out.push_str("\":\"");
    escape(out, value);
    out.push('"');
}

/// RFC 8259, 7.
fn escape(out: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>() -> Line<'a> {
        Line {
            trace_id: TraceId(0xabc),
            span_id: SpanId(0xdef),
            client: [192, 0, 2, 1].into(),
            method: "GET",
            path: "/api/products/7",
            route: Some("/api/products/{id}"),
            status: StatusCode::OK,
            duration: Duration::from_micros(1234),
            service: Some("catalog"),
            upstream: Some(([127, 0, 0, 1], 9000).into()),
            member: Some("m-1"),
            bytes: 99,
            error: None,
            fallback: None,
        }
    }

    fn parsed(line: &Line<'_>) -> serde_json::Value {
        let mut out = String::new();
        line.format(&mut out, SystemTime::now());
        assert_eq!(out.matches('\n').count(), 1);
        serde_json::from_str(&out).unwrap()
    }

    #[test]
    fn a_line_says_what_happened() {
        let found = parsed(&line());
        assert_eq!(found["trace_id"], format!("{:032x}", 0xabc));
        assert_eq!(found["span_id"], format!("{:016x}", 0xdef));
        assert_eq!(found["client.address"], "192.0.2.1");
        assert_eq!(found["http.route"], "/api/products/{id}");
        assert_eq!(found["http.response.status_code"], 200);
        assert_eq!(found["duration_us"], 1234);
        assert_eq!(found["peer.service"], "catalog");
        assert_eq!(found["upstream.address"], "127.0.0.1:9000");
        assert_eq!(found["enduser.id"], "m-1");
        assert_eq!(found["http.response.body.size"], 99);
        assert!(found.get("error.type").is_none());
        assert!(found.get("citywatch.fallback").is_none());
        let fallback = Some("bad_gateway");
        let found = parsed(&Line { fallback, ..line() });
        assert_eq!(found["citywatch.fallback"], "bad_gateway");
    }

    #[test]
    fn nobody_forges_a_line() {
        let path = "/\"},{\"level\":\"x\n\u{1}\\é";
        let found = parsed(&Line { path, ..line() });
        assert_eq!(found["url.path"], path);
        let long = "/é".repeat(10_000);
        let found = parsed(&Line {
            path: &long,
            ..line()
        });
        assert!(found["url.path"].as_str().unwrap().len() <= PATH);
    }
}
