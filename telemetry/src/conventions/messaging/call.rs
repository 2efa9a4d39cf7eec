//! One operation on messages.

use super::Destination;
use crate::context::{self, Baggage, Carrier, CarrierMut, InCurrent, SpanContext};
use crate::metrics::LabelValue;
use crate::span::encode::Kind;
use crate::span::handle::{Span, SpanBuilder};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// `messaging.operation.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Create,
    Send,
    Receive,
    Process,
    Settle,
}

impl Type {
    fn as_str(self) -> &'static str {
        match self {
            Type::Create => "create",
            Type::Send => "send",
            Type::Receive => "receive",
            Type::Process => "process",
            Type::Settle => "settle",
        }
    }
}

/// What is known before an operation begins.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) destination: &'a Destination,
    pub(super) operation: &'static str,
    pub(super) kind: Type,
    /// `None` when one message is meant.
    pub(super) batch: Option<u64>,
    pub(super) group: &'static str,
    pub(super) message_id: &'a str,
    pub(super) conversation_id: &'a str,
    pub(super) partition: &'a str,
    pub(super) body_size: Option<u64>,
    /// With whether it is of another process.
    /// What came with the message that is continued.
    pub(super) baggage: Option<Baggage>,
    pub(super) links: Vec<(SpanContext, bool)>,
    pub(super) queued: Option<Duration>,
    /// The messages were counted when they were received.
    pub(super) counted: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn new(destination: &'a Destination, operation: &'static str, kind: Type) -> Self {
        Plan {
            destination,
            operation,
            kind,
            batch: None,
            group: "",
            message_id: "",
            conversation_id: "",
            partition: "",
            body_size: None,
            baggage: None,
            links: Vec::new(),
            queued: None,
            counted: false,
        }
    }

    /// Remembers the context that came with a message.
    pub(super) fn link_to(&mut self, message: &impl Carrier) {
        let propagators = self.destination.messaging.core.propagators();
        let (context, baggage) = propagators.extract(message);
        self.links.extend(context.map(|context| (context, true)));
        self.baggage = Some(baggage);
    }

    pub(super) fn start(mut self, parent: Option<&SpanContext>) -> Call {
        let core = &self.destination.messaging.core;
        let kind = match (self.kind, self.batch) {
            // The messages of a batch have contexts of their own.
            (Type::Create, _) | (Type::Send, None) => Kind::Producer,
            (Type::Process, _) => Kind::Consumer,
            (Type::Send | Type::Receive | Type::Settle, _) => Kind::Client,
        };
        let mut builder = SpanBuilder::new(core, Cow::Borrowed("")).kind(kind);
        if let Some(parent) = parent {
            builder = builder.remote_parent(parent);
            builder = builder.baggage(self.baggage.take().unwrap_or_default());
        }
        let mut span = builder.start();
        if span.is_recording() {
            self.describe(&mut span);
        }
        let mut call = Call {
            destination: self.destination.clone(),
            operation: self.operation,
            kind: self.kind,
            group: self.group,
            messages: self.batch.unwrap_or(1),
            counted: self.counted,
            span,
            ended: false,
        };
        if let Some(queued) = self.queued {
            call.queued(queued);
        }
        call
    }

    fn describe(&self, span: &mut Span) {
        let destination = self.destination;
        span.set_name(match destination.target() {
            Some(target) => format!("{} {target}", self.operation),
            None => self.operation.to_owned(),
        });
        span.push("messaging.system", destination.messaging.system);
        span.push("messaging.operation.name", self.operation);
        span.push("messaging.operation.type", self.kind.as_str());
        for (key, text) in [
            ("messaging.destination.name", &*destination.name),
            ("messaging.destination.template", destination.template),
            ("messaging.destination.partition.id", self.partition),
            ("messaging.consumer.group.name", self.group),
            ("messaging.message.id", self.message_id),
            ("messaging.message.conversation_id", self.conversation_id),
        ] {
            if !text.is_empty() {
                span.push(key, text);
            }
        }
        if let Some(fleeting) = destination.fleeting {
            span.push(fleeting, true);
        }
        if let Some(messages) = self.batch {
            span.set_attribute("messaging.batch.message_count", messages);
        }
        if let Some(size) = self.body_size {
            span.push("messaging.message.body.size", size);
        }
        destination.messaging.server.describe(span);
        for (link, remote) in &self.links {
            span.link(link, *remote, []);
        }
    }
}

/// An operation on messages under way: its span, and its metrics once it ends. Dropped before it is
/// told how it went, it counts as `cancelled`.
#[derive(Debug)]
pub struct Call {
    destination: Destination,
    operation: &'static str,
    kind: Type,
    group: &'static str,
    messages: u64,
    counted: bool,
    span: Span,
    ended: bool,
}

impl Call {
    /// The span.
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// The span, for attributes beyond the convention's.
    pub fn span_mut(&mut self) -> &mut Span {
        &mut self.span
    }

    /// Runs a future with the operation's span as the current one.
    pub fn in_scope<F: Future>(&self, future: F) -> InCurrent<F> {
        self.span.in_scope(future)
    }

    /// Writes the context into a message's attributes, and the current baggage. A context that the
    /// message has already stays, and the span links to it.
    pub fn inject(&mut self, message: &mut (impl Carrier + CarrierMut)) {
        let propagators = self.destination.messaging.core.propagators();
        match propagators.extract(message).0 {
            Some(own) => self.span.add_link(&own, []),
            None => propagators.inject(&self.span.context(), &context::baggage(), message),
        }
    }

    /// A message has come, with the context of who sent it: the span links to that. Called once for
    /// each message that was received.
    pub fn received(&mut self, message: &impl Carrier) {
        let propagators = self.destination.messaging.core.propagators();
        if let Some(context) = propagators.extract(message).0 {
            self.span.add_remote_link(&context, []);
        }
        self.messages += 1;
    }

    /// It went well.
    pub fn finish(mut self) {
        self.end(None);
    }

    /// It failed: `error.type`, a word from a closed set.
    pub fn fail(mut self, error_type: &str) {
        self.end(Some(error_type));
    }

    pub(super) fn expect_messages(&mut self) {
        self.messages = 0;
    }

    fn queued(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.span
            .push("citywatch.messaging.queue.duration", seconds);
        let labels = self.labels(None);
        let work = &self.destination.messaging.core.metrics.work;
        work.queueing.record(&labels, seconds, None);
    }

    fn labels(&self, error: Option<&str>) -> [LabelValue; 9] {
        let messaging = &self.destination.messaging;
        let [address, port] = messaging.server.labels();
        let name = if self.destination.known {
            Arc::clone(&self.destination.name).into()
        } else {
            "".into()
        };
        [
            self.operation.into(),
            self.kind.as_str().into(),
            messaging.system.into(),
            name,
            self.destination.template.into(),
            self.group.into(),
            address,
            port,
            messaging.core.metrics.work.word(error),
        ]
    }

    fn end(&mut self, error: Option<&str>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Some(error) = error {
            self.span.set_error(error);
        }
        if self.kind == Type::Receive {
            let messages = self.messages;
            self.span
                .set_attribute("messaging.batch.message_count", messages);
        }
        let (seconds, exemplar) = self.span.measure();
        let labels = self.labels(error);
        let work = &self.destination.messaging.core.metrics.work;
        match self.kind {
            // Nothing has gone to the broker yet.
            Type::Create => return,
            Type::Process => work.processing.record(&labels, seconds, exemplar),
            _ => work.messaging.record(&labels, seconds, exemplar),
        }
        match self.kind {
            Type::Send => work.sent.add(&labels, self.messages),
            Type::Receive => work.consumed.add(&labels, self.messages),
            Type::Process if !self.counted => work.consumed.add(&labels, self.messages),
            _ => {}
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Some("cancelled"));
    }
}
