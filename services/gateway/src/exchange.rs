//! One request, from its head to the head of its answer: every rule that a request meets, in
//! the order in which it meets them. Cheap rules come first, so that what is refused costs least.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use calls::Deadline;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, EXPECT, HOST, HeaderMap, VIA};
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;

use crate::address::{self, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use crate::answer::{Answer, Source};
use crate::auth;
use crate::connection::Connection;
use crate::fallback::{self, Given};
use crate::framing::Fault;
use crate::hop;
use crate::limit::{Decision, Key, Policies, RATE_LIMIT, RATE_LIMIT_POLICY, rate_limit};
use crate::record::{Record, TRACE_RESPONSE};
use crate::refusal::Refusal;
use crate::routes::{Found, Route};
use crate::target;
use crate::upstream::{self, BodyLimits, RequestBody};
use crate::worker::Local;

/// A body of at most this many bytes takes no time to speak of.
const SHORT_BODY: u64 = 16 * 1024;

/// What a request's rate limits have said so far, for the headers of its answer.
#[derive(Default)]
struct Budget<'a> {
    policies: Option<&'a Policies>,
    tightest: Option<(&'static str, Decision)>,
    is_member: bool,
}

/// How a request is answered without a refusal.
enum Outcome {
    Reply(Box<Response<Source>>),
    /// The route's own words in its service's stead.
    Fallback(Bytes),
    /// `OPTIONS`: what the path allows, if the table says so.
    Options(Option<HeaderValue>),
}

/// Answers one request. It never fails: what goes wrong is an answer too.
pub(crate) async fn answer(
    connection: Rc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    connection.worker.refresh();
    let local = connection.worker.local();
    let fault = connection.begin_request(local.config.times.upstream);
    let (head, body) = request.into_parts();
    let found = local.config.find(&head.method, head.uri.path());
    let path = match &found {
        Found::Route(route) => Some(route.path),
        Found::Method { path, .. } => Some(*path),
        Found::Nothing => None,
    };
    let mut record = Box::new(Record::begin(
        Rc::clone(&connection),
        Rc::clone(&local),
        &head,
        path,
    ));
    let mut budget = Budget::default();
    let has_body = !body.is_end_stream();
    let outcome = decide(&mut record, &mut budget, &local, head, body, found, fault).await;

    let mut response = match outcome {
        Ok(Outcome::Reply(reply)) => {
            let (mut parts, source) = reply.into_parts();
            hop::clean_response(
                &mut parts.headers,
                &mut connection.worker.scratch.borrow_mut(),
            );
            // What the service speaks is between it and us.
            parts.version = Version::HTTP_11;
            parts.headers.insert(TRACE_RESPONSE, record.traceresponse());
            record.status(parts.status);
            Response::from_parts(parts, Answer::new(source, record))
        }
        Ok(Outcome::Fallback(words)) => {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            // Next time the service may be back.
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(TRACE_RESPONSE, record.traceresponse());
            record.status(StatusCode::OK);
            own(StatusCode::OK, headers, words, record)
        }
        Ok(Outcome::Options(allow)) => {
            let mut headers = HeaderMap::new();
            headers.extend(allow.map(|allow| (ALLOW, allow)));
            headers.insert(TRACE_RESPONSE, record.traceresponse());
            record.status(StatusCode::NO_CONTENT);
            own(StatusCode::NO_CONTENT, headers, Bytes::new(), record)
        }
        Err(refusal) => {
            if has_body {
                connection.linger();
            }
            let (headers, body) = record.refuse(&refusal);
            own(refusal.status(), headers, body.into(), record)
        }
    };
    budget.announce(response.headers_mut());
    connection.begin_response(local.config.times.body_idle);
    Ok(response)
}

fn own(
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    record: Box<Record>,
) -> Response<Answer> {
    let mut response = Response::new(Answer::new(Source::Own(body), record));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

async fn decide<'a>(
    record: &mut Record,
    budget: &mut Budget<'a>,
    local: &'a Rc<Local>,
    mut head: Parts,
    body: Incoming,
    found: Found<'a>,
    fault: Option<Fault>,
) -> Result<Outcome, Refusal> {
    let config = &local.config;
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    target::check(&mut head, config.max_uri_bytes)?;
    if head
        .headers
        .get(EXPECT)
        .is_some_and(|e| !e.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    {
        return Err(Refusal::Expectation);
    }
    let route = match found {
        Found::Route(route) => Some(&**route),
        _ => None,
    };
    budget.policies = config.policy(route);
    budget.take_address(record)?;
    let route = match found {
        Found::Route(route) => route,
        Found::Method { allow, .. } if head.method == Method::OPTIONS => {
            return Ok(Outcome::Options(Some(allow.clone())));
        }
        Found::Method { allow, .. } => {
            return Err(Refusal::WrongMethod {
                allow: allow.clone(),
            });
        }
        Found::Nothing if head.method == Method::OPTIONS && head.uri.path() == "*" => {
            return Ok(Outcome::Options(None));
        }
        Found::Nothing => return Err(Refusal::UnknownRoute),
    };
    record.service = Some(route.service);
    {
        let worker = &record.connection.worker;
        let mut tokens = worker.tokens.borrow_mut();
        let members = &worker.shared.members;
        record.member = auth::authorize(route.access, &mut head.headers, members, &mut tokens)?;
    }
    budget.take_member(record)?;
    forward(record, local, route, head, body).await
}

async fn forward(
    record: &mut Record,
    local: &Rc<Local>,
    route: &Arc<Route>,
    mut head: Parts,
    body: Incoming,
) -> Result<Outcome, Refusal> {
    let length = body.size_hint().lower();
    if length > route.max_body_bytes {
        return Err(Refusal::BodyTooLarge);
    }
    let connection = Rc::clone(&record.connection);
    let times = local.config.times;
    let has_body = !body.is_end_stream();
    let comes_with_head = body.size_hint().upper().is_some_and(|n| n <= SHORT_BODY);
    connection.give(if has_body {
        times.body_idle
    } else {
        route.timeout
    });
    let limits = BodyLimits {
        bytes: route.max_body_bytes,
        idle: times.body_idle,
        total: times.body,
        answer: route.timeout,
    };
    let body = RequestBody::new(body, &connection, limits);
    prepare(&mut head.headers, &connection, local);
    let upstream = &local.upstreams[route.service];
    if !head.headers.contains_key(HOST) {
        // HTTP/1.0 may do without, HTTP/1.1 may not.
        let name = HeaderValue::from_str(upstream.name());
        head.headers.extend(name.ok().map(|name| (HOST, name)));
    }
    let mut request = Request::new(body);
    *request.method_mut() = head.method;
    *request.uri_mut() = head.uri;
    *request.headers_mut() = head.headers;

    // A long body may take its time first. A short one is there with its head, so that what the
    // service is told is what its answer has.
    let time = if comes_with_head {
        route.timeout
    } else {
        times.body.saturating_add(route.timeout)
    };
    let deadline = Deadline::after(Instant::now(), time);
    let Some(words) = &route.fallback else {
        let reply = upstream::send(record, upstream, request, deadline).await?;
        return Ok(Outcome::Reply(Box::new(reply.map(Source::Service))));
    };
    let time = fallback::share(route.timeout);
    let deadline = Deadline::after(Instant::now(), time);
    let sent = upstream::send(record, upstream, request, deadline);
    match fallback::whole(&connection, time, sent).await? {
        Given::Whole(reply) => Ok(Outcome::Reply(Box::new(reply.map(Source::Whole)))),
        Given::Instead(reason) => {
            record.fall_back(reason);
            Ok(Outcome::Fallback(words.clone()))
        }
    }
}

/// What a service is told about the way a request came.
fn prepare(headers: &mut HeaderMap, connection: &Connection, local: &Local) {
    let trusted = local.config.trusts(connection.peer.ip());
    let forwarded_for = if trusted {
        forwarded_chain(headers, connection)
    } else {
        None
    };
    hop::clean_request(
        headers,
        trusted,
        &mut connection.worker.scratch.borrow_mut(),
    );
    let forwarded_for = forwarded_for.unwrap_or_else(|| connection.forwarded_for.clone());
    headers.insert(X_FORWARDED_FOR, forwarded_for);
    if !headers.contains_key(X_FORWARDED_PROTO) {
        headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
    }
    if !headers.contains_key(X_FORWARDED_HOST)
        && let Some(host) = headers.get(HOST).cloned()
    {
        headers.insert(X_FORWARDED_HOST, host);
    }
    headers.append(VIA, HeaderValue::from_static("1.1 citywatch"));
}

/// What a trusted peer says of the hops before it, and the peer itself.
fn forwarded_chain(headers: &HeaderMap, connection: &Connection) -> Option<HeaderValue> {
    let mut chain = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR) {
        chain.extend_from_slice(value.as_bytes());
        chain.extend_from_slice(b", ");
    }
    chain.extend_from_slice(connection.forwarded_for.as_bytes());
    HeaderValue::from_bytes(&chain).ok()
}

impl Budget<'_> {
    fn take_address(&mut self, record: &Record) -> Result<(), Refusal> {
        let Some(limit) = self.policies.and_then(|policies| policies.address) else {
            return Ok(());
        };
        let rates = &record.connection.worker.shared.rates;
        let key = Key::address(limit.class, address::rate_key(record.client));
        self.take(
            record,
            "address",
            rates.take(key, limit.pace, Instant::now()),
        )
    }

    fn take_member(&mut self, record: &Record) -> Result<(), Refusal> {
        let Some(member) = &record.member else {
            return Ok(());
        };
        self.is_member = true;
        let Some(limit) = self.policies.and_then(|policies| policies.member) else {
            return Ok(());
        };
        let rates = &record.connection.worker.shared.rates;
        let key = rates.member(limit.class, &member.sub);
        self.take(
            record,
            "member",
            rates.take(key, limit.pace, Instant::now()),
        )
    }

    fn take(
        &mut self,
        record: &Record,
        scope: &'static str,
        decision: Decision,
    ) -> Result<(), Refusal> {
        let is_tighter = self
            .tightest
            .is_none_or(|(_, known)| decision.remaining < known.remaining);
        if is_tighter || !decision.allowed {
            self.tightest = Some((scope, decision));
        }
        if decision.allowed {
            return Ok(());
        }
        record
            .connection
            .worker
            .shared
            .metrics
            .limited(scope == "member");
        Err(Refusal::RateLimited {
            retry_after_seconds: decision.retry_after_seconds(),
        })
    }

    /// Says what remains of the tightest limit, and which limits there are.
    fn announce(&self, headers: &mut HeaderMap) {
        let Some((scope, decision)) = &self.tightest else {
            return;
        };
        headers.extend(rate_limit(scope, decision).map(|value| (RATE_LIMIT, value)));
        let policies = self.policies.and_then(|policies| {
            if self.is_member {
                policies.known.as_ref()
            } else {
                policies.anonymous.as_ref()
            }
        });
        if let Some(value) = policies {
            headers.insert(RATE_LIMIT_POLICY, value.clone());
        }
    }
}
