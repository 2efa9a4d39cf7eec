//! The span of a request that came in.

use super::client::{ClientRequest, ClientSpan};
use super::edge;
use super::head::HeadId;
use super::methods::Method;
use super::semconv::{self, Scheme, Version};
use super::sizes::{self, Sizes};
use crate::clock::{self, Instant};
use crate::context::current::{Carried, Current, Ids, InPlace, Scoped};
use crate::context::{SpanContext, SpanId, TraceFlags, TraceId, traceparent};
use crate::core::Core;
use crate::cores::{self, Local};
use crate::metrics::{BodySizes, Exemplar, Finished, ServerLabels};
use crate::span::attributes::Attributes;
use crate::span::encode::{self, Parent};
use http::{HeaderMap, HeaderValue, StatusCode};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

/// The span of a request that came in, its metrics and its context.
///
/// It ends once, when finished or dropped. Without a status it counts as cancelled.
#[derive(Debug)]
pub struct ServerSpan {
    /// Behind a pointer: futures and bodies that hold a span are moved often.
    state: Option<Box<State>>,
}

/// Those of spans that ended on a thread: for the next ones, memory and references to the service,
/// which are dear to count because all threads share the counts.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "the box is what is kept")]
pub(crate) struct Rested(RefCell<Vec<Box<State>>>);

/// As many requests of a thread can be under way without an allocation.
const MAX_RESTED: usize = 64;

impl Rested {
    fn take(&self) -> Option<Box<State>> {
        self.0.borrow_mut().pop()
    }

    fn give(&self, state: Box<State>) {
        let mut rested = self.0.borrow_mut();
        if rested.len() < MAX_RESTED {
            rested.push(state);
        }
    }
}

#[derive(Debug)]
struct State {
    scoped: Scoped,
    parent: Parent,
    start: Instant,
    form: Form,
    /// Encoded; `None` when nothing is recorded.
    attributes: Option<Attributes>,
    /// `None` unless the service wants them.
    sizes: Option<Box<Sizes>>,
    /// 0 until known.
    status: u16,
    error: Option<&'static str>,
}

/// What a request has in common with others, from closed sets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) head: HeadId,
    pub(super) method: Method,
    pub(super) scheme: Scheme,
    pub(super) version: Version,
}

/// Makes a span current on this thread until it is dropped: for one poll.
#[derive(Debug)]
pub struct Scope<'a> {
    _in_place: InPlace<'a>,
}

impl ServerSpan {
    // Its arguments are large, and go where they stay.
    #[inline(always)]
    pub(super) fn new(
        local: &Local,
        ids: Ids,
        carried: Option<Arc<Carried>>,
        parent: Parent,
        form: Form,
        attributes: Option<Attributes>,
        sizes: Option<Box<Sizes>>,
    ) -> ServerSpan {
        let (method, scheme) = (form.method.index(), form.scheme as u8);
        local.active.add(method, scheme, 1);
        let start = Instant::now();
        let rested = local.rested.take();
        let mut state = rested.unwrap_or_else(|| State::new(&local.core, start, form));
        // One by one: a state made elsewhere would be copied as a whole.
        state.scoped.renew(ids, carried);
        state.parent = parent;
        state.start = start;
        state.form = form;
        state.attributes = attributes;
        state.sizes = sizes;
        state.status = 0;
        state.error = None;
        ServerSpan { state: Some(state) }
    }

    fn state(&self) -> &State {
        match &self.state {
            Some(state) => state,
            None => unreachable!("only drop takes it"),
        }
    }

    fn state_mut(&mut self) -> &mut State {
        match &mut self.state {
            Some(state) => state,
            None => unreachable!("only drop takes it"),
        }
    }

    fn current(&self) -> &Current {
        self.state().scoped.current()
    }

    /// The span's ids.
    #[must_use]
    pub fn context(&self) -> SpanContext {
        self.current().span_context()
    }

    /// Makes the span current on this thread until the scope is dropped. Take one for each poll,
    /// never across an await.
    #[must_use]
    pub fn scope(&self) -> Scope<'_> {
        Scope {
            _in_place: self.state().scoped.enter(),
        }
    }

    /// The template that matched, if it was not known at the start.
    pub fn set_route(&mut self, route: &str) {
        let core = &self.current().core;
        let head = cores::with(core.id(), |local| local.head(route));
        let head = head.unwrap_or_else(|| core.heads.intern(route, &core.metrics.server));
        self.state_mut().form.head = head;
    }

    /// Says what went wrong, in a word from a closed set (`error.type`); the span's status becomes
    /// an error.
    pub fn set_error(&mut self, error_type: &'static str) {
        self.state_mut().error = Some(error_type);
    }

    /// Adds an attribute; nothing happens when the span is not recorded.
    pub fn set_attribute(&mut self, key: &str, value: impl Into<opentelemetry::Value>) {
        let State {
            attributes, scoped, ..
        } = self.state_mut();
        if let Some(out) = attributes {
            let core = &scoped.current().core;
            out.set(core.limits(), key, &value.into());
        }
    }

    /// The headers of the answer: those are recorded that
    /// [`Settings::capture_response_headers`](crate::Settings::capture_response_headers) names.
    pub fn response_headers(&mut self, headers: &HeaderMap) {
        let State {
            attributes, scoped, ..
        } = self.state_mut();
        if let Some(out) = attributes {
            let core = &scoped.current().core;
            core.http
                .response_headers
                .record(out, core.limits(), headers);
        }
    }

    /// So many bytes of the request's body came in. Unless
    /// [`Settings::body_sizes`](crate::Settings::body_sizes) asks for it, nothing happens.
    pub fn request_body(&mut self, bytes: u64) {
        if let Some(sizes) = &mut self.state_mut().sizes {
            sizes.request(bytes);
        }
    }

    /// So many bytes of the answer's body went out; as [`request_body`](Self::request_body).
    pub fn response_body(&mut self, bytes: u64) {
        if let Some(sizes) = &mut self.state_mut().sizes {
            sizes.response(bytes);
        }
    }

    /// Where a request's body is counted as it comes in, if it has to be.
    #[cfg(feature = "axum")]
    pub(super) fn counted(&self) -> Option<sizes::Counted> {
        self.state().sizes.as_ref()?.counted()
    }

    /// The span is written down when it ends.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.state().attributes.is_some()
    }

    /// Nobody has sent a trace that goes on here.
    #[cfg(feature = "axum")]
    pub(super) fn begins_trace(&self) -> bool {
        !self.state().parent.span_id.is_valid()
    }

    /// The value of the `traceresponse` header, `00-<trace id>-<span id>-<flags>`.
    #[must_use]
    pub fn traceresponse(&self) -> HeaderValue {
        let Current {
            trace_id,
            span_id,
            flags,
            ..
        } = *self.current();
        let value = traceparent::written(trace_id, span_id, flags);
        // Digits and dashes are always a value.
        HeaderValue::from_bytes(&value).unwrap_or(HeaderValue::from_static(""))
    }

    /// The head of the answer is known; the span goes on until its body is sent.
    pub fn status(&mut self, status: StatusCode) {
        self.state_mut().status = status.as_u16();
    }

    /// Ends the span.
    pub fn finish(self) {}

    /// Begins the span of a request that this one causes.
    #[must_use]
    pub fn client(&self, request: &ClientRequest<'_>) -> ClientSpan {
        let current = self.current();
        edge::client_of(
            &current.core,
            Some(&self.context()),
            current.carried.clone(),
            request,
            None,
        )
    }
}

/// What went wrong, in the words of `error.type`; a status needs room for its digits.
#[cold]
fn failure<'a>(
    error: Option<&'static str>,
    status: u16,
    digits: &'a mut [u8; 3],
) -> Option<&'a str> {
    match (error, status) {
        (Some(error), _) => Some(error),
        (None, 0) if std::thread::panicking() => Some("panic"),
        (None, 0) => Some("cancelled"),
        (None, status) => {
            *digits = semconv::digits(status);
            std::str::from_utf8(digits).ok()
        }
    }
}

impl State {
    /// One that rests.
    #[cold]
    fn new(core: &Arc<Core>, start: Instant, form: Form) -> Box<State> {
        let current = Current {
            trace_id: TraceId::default(),
            span_id: SpanId::default(),
            flags: TraceFlags::default(),
            core: Arc::clone(core),
            carried: None,
        };
        Box::new(State {
            scoped: Scoped::new(current, None),
            parent: Parent::NONE,
            start,
            form,
            attributes: None,
            sizes: None,
            status: 0,
            error: None,
        })
    }

    /// `local` is what this thread keeps, unless it is going away.
    #[inline(always)]
    fn end(&mut self, local: Option<&Local>) {
        let end = Instant::now();
        let mut digits = [0; 3];
        let error = match (self.error, self.status) {
            (None, 1..500) => None,
            (error, status) => failure(error, status, &mut digits),
        };
        let current = self.scoped.current();
        let core = &current.core;
        let Form {
            head,
            method,
            scheme,
            version,
        } = self.form;
        let head = core.heads.get(head);
        let labels = ServerLabels {
            route: head.place(),
            method,
            status: self.status,
            version,
            scheme,
            error_type: error,
        };
        let duration = end.saturating_duration_since(self.start);
        let seconds = duration.as_secs_f64();
        let sampled = self.attributes.is_some();
        let told = core.metrics.takes_exemplar(sampled);
        // Nobody asks for the wall time of what is not recorded.
        let end = if sampled || told { clock::wall(end) } else { 0 };
        let exemplar = told.then_some(Exemplar {
            trace_id: current.trace_id.0,
            span_id: current.span_id.0,
            value: seconds,
            at_nanos: end,
        });
        let sizes = self.sizes.as_deref().map(Sizes::measured);
        let finished = Finished {
            seconds,
            exemplar: exemplar.as_ref(),
            sizes: sizes.as_ref(),
        };
        let halves = local.map(|local| &local.server);
        core.metrics.server.record(halves, &labels, finished);
        match local {
            Some(local) => local.active.add(method.index(), scheme as u8, -1),
            None => core.metrics.server.end_shared(method, scheme),
        }
        if let Some(attributes) = self.attributes.take() {
            let head = head.encoded(method, scheme, version, core.limits());
            self.write(head, attributes, error, sizes.as_ref(), (end, duration));
        }
    }

    // Apart from what every request runs through.
    #[inline(never)]
    fn write(
        &self,
        head: &[u8],
        mut attributes: Attributes,
        error: Option<&str>,
        sizes: Option<&BodySizes>,
        (end, duration): (u64, Duration),
    ) {
        let current = self.scoped.current();
        let core = &current.core;
        if self.status != 0 {
            attributes.number(core.limits(), "http.response.status_code", self.status);
        }
        if let Some(error) = error {
            attributes.push(core.limits(), "error.type", error);
        }
        if let Some(sizes) = sizes {
            sizes::describe(&mut attributes, core.limits(), sizes);
        }
        core.record(|out| {
            encode::opening(out, current, self.parent, end, duration);
            out.extend_from_slice(head);
            attributes.finish(out);
            if error.is_some() {
                encode::error_status(out, "");
            }
        });
    }
}

impl Drop for ServerSpan {
    fn drop(&mut self) {
        let Some(state) = self.state.take() else {
            return;
        };
        let core = state.scoped.current().core.id();
        let mut state = Some(state);
        cores::with(core, |local| {
            if let Some(mut state) = state.take() {
                state.end(Some(local));
                state.scoped.rest();
                state.sizes = None;
                local.rested.give(state);
            }
        });
        if let Some(mut state) = state {
            end_elsewhere(&mut state);
        }
    }
}

/// On a thread that is going away.
#[cold]
fn end_elsewhere(state: &mut State) {
    state.end(None);
}
