//! What is kept of one exchange while it lasts, and what it leaves behind: the end of its span
//! and one line in the access log. It is the same however the exchange ends.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap};
use http::{HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use identity::Claims;
use telemetry::http::{ServerRequest, ServerSpan, Trust};

use crate::access_log::Line;
use crate::connection::Connection;
use crate::refusal::Refusal;
use crate::worker::Local;

pub(crate) const TRACE_RESPONSE: HeaderName = HeaderName::from_static("traceresponse");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) connection: Rc<Connection>,
    pub(crate) local: Rc<Local>,
    pub(crate) span: ServerSpan,
    pub(crate) method: Method,
    /// As the client sent it; the log takes its path.
    pub(crate) uri: Uri,
    pub(crate) client: IpAddr,
    /// Path of the table of routes.
    pub(crate) path: Option<usize>,
    /// Service of the configuration.
    pub(crate) service: Option<usize>,
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) member: Option<Arc<Claims>>,
    pub(crate) bytes: u64,
    pub(crate) error: Option<&'static str>,
    /// Why the route answered in its service's stead.
    fallback: Option<&'static str>,
    started: Instant,
    status: Option<StatusCode>,
}

impl Record {
    /// Begins the trace of a request.
    pub(crate) fn begin(
        connection: Rc<Connection>,
        local: Rc<Local>,
        head: &http::request::Parts,
        path: Option<usize>,
    ) -> Self {
        let config = &local.config;
        let peer = connection.peer;
        let trusted = config.trusts(peer.ip());
        let span = connection.worker.edge.start(&ServerRequest {
            method: &head.method,
            uri: &head.uri,
            version: head.version,
            headers: &head.headers,
            peer: Some(peer),
            scheme: "http",
            route: path.map(|path| config.pattern(path)),
            trust: if trusted { Trust::Parent } else { Trust::Link },
        });
        Self {
            client: crate::address::client(peer.ip(), &head.headers, config.trusted()),
            span,
            method: head.method.clone(),
            uri: head.uri.clone(),
            path,
            service: None,
            upstream: None,
            member: None,
            bytes: 0,
            error: None,
            fallback: None,
            started: Instant::now(),
            status: None,
            connection,
            local,
        }
    }

    /// The head of the answer is known.
    pub(crate) fn status(&mut self, status: StatusCode) {
        self.status = Some(status);
        self.span.status(status);
    }

    /// Whether the answer has a body on the wire.
    pub(crate) fn sends_body(&self) -> bool {
        let empty = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED];
        self.method != Method::HEAD && self.status.is_some_and(|status| !empty.contains(&status))
    }

    pub(crate) fn traceresponse(&self) -> HeaderValue {
        self.span.traceresponse()
    }

    /// Something ended the exchange that its status does not tell.
    pub(crate) fn fail(&mut self, error: &'static str) {
        self.error = Some(error);
        self.span.set_error(error);
    }

    /// The route answers in its service's stead: no error for the client, and yet to be seen.
    pub(crate) fn fall_back(&mut self, reason: &'static str) {
        self.connection.worker.shared.metrics.fell_back(reason);
        self.fallback = Some(reason);
        self.span.set_attribute("citywatch.fallback", reason);
    }

    /// The answer of a refusal: its headers, and its body.
    pub(crate) fn refuse(&mut self, refusal: &Refusal) -> (HeaderMap, Vec<u8>) {
        self.connection
            .worker
            .shared
            .metrics
            .rejected(refusal.code());
        self.fail(refusal.code());
        self.status(refusal.status());
        let problem = refusal.problem();
        let mut headers: HeaderMap = problem.headers().iter().cloned().collect();
        headers.insert(CONTENT_TYPE, PROBLEM_JSON);
        headers.insert(TRACE_RESPONSE, self.traceresponse());
        if refusal.closes() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
            self.connection.linger();
        }
        let trace_id = self.span.context().trace_id.to_string();
        (headers, problem.body(Some(trace_id)))
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.status.is_none() {
            let gone = Refusal::ClientGone;
            self.connection.worker.shared.metrics.rejected(gone.code());
            self.fail(gone.code());
        }
        if self.local.config.access_log {
            let context = self.span.context();
            let config = &self.local.config;
            self.connection.worker.access_log.write(&Line {
                trace_id: context.trace_id,
                span_id: context.span_id,
                client: self.client,
                method: self.method.as_str(),
                path: self.uri.path(),
                route: self.path.map(|path| config.pattern(path)),
                status: self.status.unwrap_or(Refusal::ClientGone.status()),
                duration: self.started.elapsed(),
                service: self.service.map(|service| &*config.services[service].name),
                upstream: self.upstream,
                member: self.member.as_ref().map(|claims| claims.sub.as_str()),
                bytes: self.bytes,
                error: self.error,
                fallback: self.fallback,
            });
        }
        self.connection.end_response();
    }
}

/// The whole answer to a head that never became a request, as bytes for the socket: it is traced,
/// counted and logged like any other.
pub(crate) fn refuse_unparsed(connection: &Rc<Connection>, refusal: &Refusal) -> Vec<u8> {
    let mut head = http::Request::new(()).into_parts().0;
    head.version = Version::HTTP_11;
    // The word of the semantic conventions for a method that is not known.
    if let Ok(other) = Method::from_bytes(b"_OTHER") {
        head.method = other;
    }
    let local = connection.worker.local();
    let mut record = Record::begin(Rc::clone(connection), local, &head, None);
    let (mut headers, body) = record.refuse(refusal);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    // hyper dates the answers that pass through it; this one does not.
    let date = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now()));
    headers.extend(date.ok().map(|date| (DATE, date)));
    record.bytes = body.len() as u64;
    let status = refusal.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut answer = format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).into_bytes();
    for (name, value) in &headers {
        answer.extend_from_slice(name.as_str().as_bytes());
        answer.extend_from_slice(b": ");
        answer.extend_from_slice(value.as_bytes());
        answer.extend_from_slice(b"\r\n");
    }
    answer.extend_from_slice(b"\r\n");
    answer.extend_from_slice(&body);
    answer
}
