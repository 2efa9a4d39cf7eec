//! The consumer's side.

use super::Destination;
use super::call::{Call, Plan, Type};
use crate::context::{self, Carrier};
use std::time::Duration;

/// A request for messages that is about to be made: see [`Destination::receive`].
#[derive(Debug)]
#[must_use = "an operation begins with `start`"]
pub struct ReceiveBuilder<'a>(Plan<'a>);

impl<'a> ReceiveBuilder<'a> {
    pub(super) fn new(destination: &'a Destination, operation: &'static str) -> Self {
        ReceiveBuilder(Plan::new(destination, operation, Type::Receive))
    }

    /// The group that shares the messages: `messaging.consumer.group.name`.
    pub fn group(mut self, name: &'static str) -> Self {
        self.0.group = name;
        self
    }

    /// Where within the destination: `messaging.destination.partition.id`.
    pub fn partition(mut self, id: &'a str) -> Self {
        self.0.partition = id;
        self
    }

    /// Begins, as a child of the current span. Each message that comes is told to
    /// [`Call::received`].
    pub fn start(self) -> Call {
        let mut call = self.0.start(None);
        call.expect_messages();
        call
    }
}

/// Work on messages that is about to begin: see [`Destination::process`].
#[derive(Debug)]
#[must_use = "an operation begins with `start`"]
pub struct ProcessBuilder<'a> {
    plan: Plan<'a>,
    child_of_message: bool,
}

impl<'a> ProcessBuilder<'a> {
    pub(super) fn new(destination: &'a Destination, operation: &'static str) -> Self {
        ProcessBuilder {
            plan: Plan::new(destination, operation, Type::Process),
            child_of_message: false,
        }
    }

    /// The group that shares the messages: `messaging.consumer.group.name`.
    pub fn group(mut self, name: &'static str) -> Self {
        self.plan.group = name;
        self
    }

    /// The message's id: `messaging.message.id`.
    pub fn message_id(mut self, id: &'a str) -> Self {
        self.plan.message_id = id;
        self
    }

    /// What the message is an answer to: `messaging.message.conversation_id`.
    pub fn conversation_id(mut self, id: &'a str) -> Self {
        self.plan.conversation_id = id;
        self
    }

    /// Where within the destination: `messaging.destination.partition.id`.
    pub fn partition(mut self, id: &'a str) -> Self {
        self.plan.partition = id;
        self
    }

    /// Bytes of the message's body: `messaging.message.body.size`.
    pub fn body_size(mut self, bytes: u64) -> Self {
        self.plan.body_size = Some(bytes);
        self
    }

    /// The message itself, whose attributes tell who sent it.
    pub fn message(mut self, attributes: &impl Carrier) -> Self {
        self.plan.link_to(attributes);
        self
    }

    /// All messages of a batch that is worked on together, even if it is of one.
    pub fn batch<'m, C: Carrier + 'm>(mut self, messages: impl IntoIterator<Item = &'m C>) -> Self {
        let mut count = 0;
        for message in messages {
            self.plan.link_to(message);
            count += 1;
        }
        self.plan.batch = Some(count);
        self
    }

    /// How long the message waited since it was sent: the attribute and the metric
    /// `citywatch.messaging.queue.duration`, in seconds. The conventions have none.
    pub fn queued_for(mut self, time: Duration) -> Self {
        self.plan.queued = Some(time);
        self
    }

    /// The messages were counted already, by an operation that [received](Destination::receive)
    /// them.
    pub fn received_before(mut self) -> Self {
        self.plan.counted = true;
        self
    }

    /// The span of one message continues the trace of its producer also where something is
    /// current; it then links to what is.
    pub fn child_of_message(mut self) -> Self {
        self.child_of_message = true;
        self
    }

    /// Begins.
    pub fn start(mut self) -> Call {
        let around = context::current();
        let creation = match (&self.plan.links[..], self.plan.batch) {
            ([(creation, _)], None) => Some(creation.clone()),
            _ => None,
        };
        match (creation, around) {
            (Some(creation), None) => self.plan.start(Some(&creation)),
            (Some(creation), Some(around)) if self.child_of_message => {
                self.plan.links.push((around, false));
                self.plan.start(Some(&creation))
            }
            _ => self.plan.start(None),
        }
    }
}

/// A word to the broker about messages: see [`Destination::settle`].
#[derive(Debug)]
#[must_use = "an operation begins with `start`"]
pub struct SettleBuilder<'a>(Plan<'a>);

impl<'a> SettleBuilder<'a> {
    pub(super) fn new(destination: &'a Destination, operation: &'static str) -> Self {
        SettleBuilder(Plan::new(destination, operation, Type::Settle))
    }

    /// The group that shares the messages: `messaging.consumer.group.name`.
    pub fn group(mut self, name: &'static str) -> Self {
        self.0.group = name;
        self
    }

    /// The message's id: `messaging.message.id`.
    pub fn message_id(mut self, id: &'a str) -> Self {
        self.0.message_id = id;
        self
    }

    /// A message that is settled, whose attributes tell who sent it.
    pub fn message(mut self, attributes: &impl Carrier) -> Self {
        self.0.link_to(attributes);
        self
    }

    /// This many messages are settled together.
    pub fn batch(mut self, messages: u64) -> Self {
        self.0.batch = Some(messages);
        self
    }

    /// Begins, as a child of the current span.
    pub fn start(self) -> Call {
        self.0.start(None)
    }
}
