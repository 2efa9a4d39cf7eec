//! Events of `tracing` within a span: exceptions, and others if they are asked for.

use super::fields::{Fields, Special, Visitor};
use crate::settings::Limits;
use crate::span::attributes::{Attributes, OfEvent};
use std::error::Error;
use std::fmt::Write as _;
use tracing::{Event, Level};

/// `error.type` where nothing is said
/// (opentelemetry.io/docs/specs/semconv/registry/attributes/error).
const OTHER: &str = "_OTHER";

/// An event, read before its span is touched.
pub(super) struct Read {
    name: &'static str,
    level: Level,
    attributes: Attributes<OfEvent>,
    own: Own,
}

/// What is not an attribute.
#[derive(Default)]
struct Own {
    message: Option<Box<str>>,
    error: Option<Exception>,
    error_type: Option<Box<str>>,
}

struct Exception {
    message: String,
    /// What caused it, if that is known.
    causes: Option<String>,
}

impl Read {
    pub(super) fn new(limits: &Limits, event: &Event<'_>) -> Read {
        let mut attributes = Attributes::empty();
        let mut own = Own::default();
        event.record(&mut Visitor {
            attributes: &mut attributes,
            special: &mut own,
            limits,
        });
        Read {
            name: event.metadata().name(),
            level: *event.metadata().level(),
            attributes,
            own,
        }
    }

    pub(super) fn is_exception(&self) -> bool {
        self.own.error.is_some()
    }

    /// Becomes a part of its span; `at` is in nanoseconds since the Unix epoch.
    pub(super) fn add_to(self, fields: &mut Fields, limits: &Limits, at: u64) {
        let mut attributes = Attributes::empty();
        let message = self.own.message.as_deref();
        let name = match &self.own.error {
            Some(Exception { message, causes }) => {
                attributes.push(limits, "exception.message", message.as_str());
                if let Some(causes) = causes {
                    attributes.push(limits, "exception.stacktrace", causes.as_str());
                }
                "exception"
            }
            None => {
                attributes.push(limits, "level", self.level.as_str());
                message.unwrap_or(self.name)
            }
        };
        if self.own.error.is_some()
            && let Some(message) = message
        {
            attributes.push(limits, "message", message);
        }
        attributes.merge(limits, self.attributes);
        fields.body.event(limits, at, name, attributes);
        if let Some(error) = &self.own.error
            && self.level == Level::ERROR
        {
            fields.fail(&error.message);
            let known = fields.body.attributes.has("error.type");
            match self.own.error_type {
                Some(error_type) => {
                    let attributes = &mut fields.body.attributes;
                    attributes.set(limits, "error.type", &*error_type);
                }
                None if known => {}
                None => fields.body.attributes.push(limits, "error.type", OTHER),
            }
        }
    }
}

impl Special for Own {
    fn is(name: &str) -> bool {
        // The last are those that the `log` crate's records bring along.
        matches!(name, "message" | "error" | "error.type") || name.starts_with("log.")
    }

    fn text(&mut self, name: &str, text: &str) {
        match name {
            "message" => self.message = Some(text.into()),
            "error" => {
                self.error = Some(Exception {
                    message: text.to_owned(),
                    causes: None,
                });
            }
            "error.type" => self.error_type = Some(text.into()),
            _ => {}
        }
    }

    fn error(&mut self, name: &str, error: &(dyn Error + 'static)) {
        if name != "error" {
            return self.text(name, &error.to_string());
        }
        let message = error.to_string();
        let mut cause = error.source();
        let causes = cause.is_some().then(|| {
            let mut causes = message.clone();
            while let Some(error) = cause {
                // Writing into a string fails only if the error's own text does.
                let _ = write!(causes, "\nCaused by: {error}");
                cause = error.source();
            }
            causes
        });
        self.error = Some(Exception { message, causes });
    }
}
