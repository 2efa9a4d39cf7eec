//! Messages that are sent and worked on, by the
//! [conventions for messaging](https://opentelemetry.io/docs/specs/semconv/messaging/).
//!
//! The context travels in the message's attributes, under the names of the CloudEvents extension
//! for [distributed tracing](https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md),
//! `traceparent` and `tracestate`, and whatever else the service's propagators write.
//!
//! A message that is worked on alone continues its producer's trace: the process span is a child
//! of the span that sent the message, and links to it as well. Where something is current already,
//! such as the request that brought the message, the process span is a child of that and only
//! links, unless it is [told otherwise](ProcessBuilder::child_of_message). A batch only links.
//!
//! ```no_run
//! use std::collections::BTreeMap;
//! # fn run(telemetry: &telemetry::Telemetry) {
//! let orders = telemetry.messaging("kafka").server("broker.city", 9092).destination("orders");
//!
//! let mut attributes = BTreeMap::new();
//! let mut send = orders.send("send").message_id("17").start();
//! send.inject(&mut attributes);
//! send.finish();
//!
//! let process = orders.process("process").group("billing").message(&attributes).start();
//! process.span().enter();
//! process.finish();
//! # }
//! ```

mod call;
mod consumer;
mod producer;

pub use self::call::Call;
pub use self::consumer::{ProcessBuilder, ReceiveBuilder, SettleBuilder};
pub use self::producer::{CreateBuilder, SendBuilder};

use super::server::Server;
use crate::core::Alive;
use std::sync::Arc;

/// A broker as its clients see it: see [`Telemetry::messaging`](crate::Telemetry::messaging).
/// Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Messaging {
    core: Arc<Alive>,
    system: &'static str,
    server: Server,
}

impl Messaging {
    pub(crate) fn new(core: &Arc<Alive>, system: &'static str) -> Messaging {
        Messaging {
            core: Arc::clone(core),
            system,
            server: Server::default(),
        }
    }

    /// Where the broker is.
    #[must_use]
    pub fn server(mut self, address: &str, port: u16) -> Messaging {
        self.server = Server::new(address, port);
        self
    }

    /// A queue, a topic or the like, whose name is one of few.
    #[must_use]
    pub fn destination(&self, name: &'static str) -> Destination {
        Destination {
            messaging: self.clone(),
            name: name.into(),
            template: "",
            fleeting: None,
            known: true,
        }
    }

    /// One of many destinations whose names follow a template such as `/customers/{customerId}`:
    /// the template names spans and is a label of metrics, and the name is in spans alone.
    #[must_use]
    pub fn templated(&self, template: &'static str, name: &str) -> Destination {
        Destination {
            messaging: self.clone(),
            name: name.into(),
            template,
            fleeting: None,
            known: false,
        }
    }

    /// A destination that will be gone, such as a queue for answers: its name is in spans alone.
    #[must_use]
    pub fn temporary(&self, name: &str) -> Destination {
        Destination {
            fleeting: Some("messaging.destination.temporary"),
            ..self.templated("", name)
        }
    }

    /// A destination that has no name but one that was made up.
    #[must_use]
    pub fn anonymous(&self, name: &str) -> Destination {
        Destination {
            fleeting: Some("messaging.destination.anonymous"),
            ..self.templated("", name)
        }
    }
}

/// Where messages are sent to and come from: see [`Messaging::destination`]. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Destination {
    messaging: Messaging,
    name: Arc<str>,
    /// Empty when there is none.
    template: &'static str,
    /// The attribute that says why the name means little.
    fleeting: Option<&'static str>,
    /// The name is one of few.
    known: bool,
}

impl Destination {
    /// Makes a message that is sent later, as one of a batch. `operation` is what the system calls
    /// it, such as `create`.
    pub fn create(&self, operation: &'static str) -> CreateBuilder<'_> {
        CreateBuilder::new(self, operation)
    }

    /// Sends one message. `operation` is what the system calls it: `send`, `publish`.
    pub fn send(&self, operation: &'static str) -> SendBuilder<'_> {
        SendBuilder::new(self, operation, None)
    }

    /// Sends this many messages together, each with a context of its own: see
    /// [`create`](Self::create) and [`SendBuilder::created`].
    pub fn send_batch(&self, operation: &'static str, messages: u64) -> SendBuilder<'_> {
        SendBuilder::new(self, operation, Some(messages))
    }

    /// Asks the broker for messages. `operation` is what the system calls it: `receive`, `poll`.
    pub fn receive(&self, operation: &'static str) -> ReceiveBuilder<'_> {
        ReceiveBuilder::new(self, operation)
    }

    /// Works on messages. `operation` is what the system calls it: `process`, `consume`.
    pub fn process(&self, operation: &'static str) -> ProcessBuilder<'_> {
        ProcessBuilder::new(self, operation)
    }

    /// Tells the broker what became of messages. `operation` is what the system calls it: `ack`,
    /// `nack`.
    pub fn settle(&self, operation: &'static str) -> SettleBuilder<'_> {
        SettleBuilder::new(self, operation)
    }

    /// What a span's name says of it.
    fn target(&self) -> Option<String> {
        if !self.template.is_empty() {
            Some(self.template.to_owned())
        } else if self.known && !self.name.is_empty() {
            Some(self.name.to_string())
        } else if self.name.is_empty() {
            self.messaging.server.name()
        } else {
            None
        }
    }
}
