//! The producer's side.

use super::Destination;
use super::call::{Call, Plan, Type};
use crate::context::SpanContext;

/// A message that is about to be made: see [`Destination::create`].
#[derive(Debug)]
#[must_use = "an operation begins with `start`"]
pub struct CreateBuilder<'a>(Plan<'a>);

impl<'a> CreateBuilder<'a> {
    pub(super) fn new(destination: &'a Destination, operation: &'static str) -> Self {
        CreateBuilder(Plan::new(destination, operation, Type::Create))
    }

    /// The message's id: `messaging.message.id`.
    pub fn message_id(mut self, id: &'a str) -> Self {
        self.0.message_id = id;
        self
    }

    /// Bytes of the message's body: `messaging.message.body.size`.
    pub fn body_size(mut self, bytes: u64) -> Self {
        self.0.body_size = Some(bytes);
        self
    }

    /// Begins, as a child of the current span.
    pub fn start(self) -> Call {
        self.0.start(None)
    }
}

/// Messages that are about to be sent: see [`Destination::send`].
#[derive(Debug)]
#[must_use = "an operation begins with `start`"]
pub struct SendBuilder<'a>(Plan<'a>);

impl<'a> SendBuilder<'a> {
    pub(super) fn new(
        destination: &'a Destination,
        operation: &'static str,
        batch: Option<u64>,
    ) -> Self {
        let mut plan = Plan::new(destination, operation, Type::Send);
        plan.batch = batch;
        SendBuilder(plan)
    }

    /// The message's id: `messaging.message.id`.
    pub fn message_id(mut self, id: &'a str) -> Self {
        self.0.message_id = id;
        self
    }

    /// What the message is an answer to: `messaging.message.conversation_id`.
    pub fn conversation_id(mut self, id: &'a str) -> Self {
        self.0.conversation_id = id;
        self
    }

    /// Where within the destination: `messaging.destination.partition.id`.
    pub fn partition(mut self, id: &'a str) -> Self {
        self.0.partition = id;
        self
    }

    /// Bytes of the message's body: `messaging.message.body.size`.
    pub fn body_size(mut self, bytes: u64) -> Self {
        self.0.body_size = Some(bytes);
        self
    }

    /// A message was made before, in a span of its own: see [`Destination::create`].
    pub fn created(mut self, context: SpanContext) -> Self {
        self.0.links.push((context, false));
        self
    }

    /// Begins, as a child of the current span.
    pub fn start(self) -> Call {
        self.0.start(None)
    }
}
