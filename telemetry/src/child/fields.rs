//! Fields of `tracing` as attributes, and those of a span that are none.

use crate::log::Causes;
use crate::settings::Limits;
use crate::span::attributes::{Attributes, Owner};
use crate::span::body::{Body, Status};
use crate::span::encode::Kind;
use crate::span::pool;
use std::error::Error;
use std::fmt;
use tracing::field::{Field, Visit};

/// Fields with a meaning of their own.
pub(super) trait Special {
    fn is(name: &str) -> bool;
    fn text(&mut self, name: &str, text: &str);
    fn error(&mut self, name: &str, error: &(dyn Error + 'static)) {
        self.text(name, &error.to_string());
    }
}

/// Takes fields in their own types.
pub(super) struct Visitor<'a, O, S> {
    pub(super) attributes: &'a mut Attributes<O>,
    pub(super) special: &'a mut S,
    pub(super) limits: &'a Limits,
}

fn name(field: &Field) -> &str {
    let name = field.name();
    name.strip_prefix("r#").unwrap_or(name)
}

impl<O: Owner, S: Special> Visit for Visitor<'_, O, S> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = name(field);
        if S::is(name) {
            let mut text = pool::Buffer::limited(None);
            text.write(format_args!("{value:?}"));
            self.special.text(name, text.as_str());
        } else {
            self.attributes
                .set_text(self.limits, name, format_args!("{value:?}"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let name = name(field);
        if S::is(name) {
            self.special.text(name, value);
        } else {
            self.attributes.set(self.limits, name, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let name = name(field);
        if S::is(name) {
            self.special.error(name, value);
        } else {
            self.attributes
                .set_text(self.limits, name, format_args!("{}", Causes(value)));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.attributes.set(self.limits, name(field), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attributes.set(self.limits, name(field), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record_u128(field, value.into());
    }

    // OTLP has signed integers of 64 bits only; what does not fit is written out.
    fn record_i128(&mut self, field: &Field, value: i128) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.record_debug(field, &value),
        }
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        match i64::try_from(value) {
            Ok(value) => self.record_i64(field, value),
            Err(_) => self.record_debug(field, &value),
        }
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.attributes.set(self.limits, name(field), value);
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        self.attributes.set(self.limits, name(field), value);
    }
}

/// What a span's fields and events say.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) body: Body,
    own: Own,
    /// The description of the last failure among its events.
    failure: Option<Box<str>>,
}

/// What is not an attribute.
#[derive(Debug, Default)]
struct Own {
    name: Option<Box<str>>,
    kind: Option<Kind>,
    code: Option<Code>,
    description: Option<Box<str>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Ok,
    Error,
}

impl Fields {
    /// What `record` shows to a visitor.
    pub(super) fn read(limits: &Limits, record: impl FnOnce(&mut dyn Visit)) -> Fields {
        let mut fields = Fields {
            body: Body::new(),
            own: Own::default(),
            failure: None,
        };
        record(&mut Visitor {
            attributes: &mut fields.body.attributes,
            special: &mut fields.own,
            limits,
        });
        fields
    }

    /// What is recorded later, over what was recorded before.
    pub(super) fn merge(&mut self, limits: &Limits, later: Fields) {
        self.body.attributes.merge(limits, later.body.attributes);
        let own = &mut self.own;
        own.name = later.own.name.or(own.name.take());
        own.kind = later.own.kind.or(own.kind);
        own.code = later.own.code.or(own.code);
        own.description = later.own.description.or(own.description.take());
    }

    pub(super) fn fail(&mut self, description: &str) {
        self.failure = Some(description.into());
    }

    pub(super) fn name(&self) -> Option<&str> {
        self.own.name.as_deref()
    }

    pub(super) fn kind(&self) -> Kind {
        self.own.kind.unwrap_or_default()
    }

    /// Everything has been said.
    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        let failure = self.failure.take();
        self.body.status(match self.own.code {
            Some(Code::Ok) => Status::Ok,
            Some(Code::Error) => {
                let description = self.own.description.take().or(failure);
                Status::Error(description.unwrap_or_default().into())
            }
            None => failure.map_or(Status::Unset, |failure| Status::Error(failure.into())),
        });
        self.body.finish(out);
    }
}

impl Special for Own {
    fn is(name: &str) -> bool {
        let name = name.strip_prefix("otel.");
        name.is_some_and(|name| {
            matches!(name, "name" | "kind" | "status_code" | "status_description")
        })
    }

    fn text(&mut self, name: &str, text: &str) {
        match name {
            "otel.name" => self.name = Some(text.into()),
            "otel.kind" => self.kind = Some(kind(text)),
            "otel.status_code" => self.code = code(text),
            _ => self.description = Some(text.into()),
        }
    }
}

fn kind(text: &str) -> Kind {
    let kinds = [
        ("server", Kind::Server),
        ("client", Kind::Client),
        ("producer", Kind::Producer),
        ("consumer", Kind::Consumer),
    ];
    let named = kinds
        .iter()
        .find(|(name, _)| text.eq_ignore_ascii_case(name));
    named.map_or(Kind::Internal, |(_, kind)| *kind)
}

fn code(text: &str) -> Option<Code> {
    let codes = [("ok", Code::Ok), ("error", Code::Error)];
    let named = codes
        .iter()
        .find(|(name, _)| text.eq_ignore_ascii_case(name));
    named.map(|(_, code)| *code)
}
