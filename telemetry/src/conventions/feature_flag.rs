//! Evaluations of feature flags, by the
//! [convention](https://opentelemetry.io/docs/specs/semconv/feature-flags/feature-flags-events/).
//!
//! ```no_run
//! use telemetry::feature_flag::{Evaluation, Reason};
//! Evaluation::of("checkout-page")
//!     .provider("city")
//!     .variant("short")
//!     .reason(Reason::TargetingMatch)
//!     .emit();
//! ```

use crate::context;
use crate::span::value::AttributeValue;

/// The event's name.
const NAME: &str = "feature_flag.evaluation";

/// Why a flag has its value:
/// [`feature_flag.result.reason`](https://opentelemetry.io/docs/specs/semconv/registry/attributes/feature-flag/#feature-flag-result-reason).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It came from a cache.
    Cached,
    /// Nothing else was found: it is the value that was agreed on before.
    Default,
    /// The flag is switched off where it is managed.
    Disabled,
    /// Something went wrong.
    Error,
    /// It was drawn by lot.
    Split,
    /// It may be out of date.
    Stale,
    /// It is the same for everybody.
    Static,
    /// A rule was met.
    TargetingMatch,
    /// Nobody knows.
    Unknown,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Reason::Cached => "cached",
            Reason::Default => "default",
            Reason::Disabled => "disabled",
            Reason::Error => "error",
            Reason::Split => "split",
            Reason::Stale => "stale",
            Reason::Static => "static",
            Reason::TargetingMatch => "targeting_match",
            Reason::Unknown => "unknown",
        }
    }
}

/// One evaluation of a flag.
#[derive(Debug, Clone)]
#[must_use = "an evaluation is told by `emit`"]
pub struct Evaluation<'a> {
    key: &'a str,
    variant: Option<&'a str>,
    value: Option<AttributeValue<'a>>,
    reason: Option<Reason>,
    provider: Option<&'a str>,
    context_id: Option<&'a str>,
    set_id: Option<&'a str>,
    version: Option<&'a str>,
    error: Option<(&'a str, Option<&'a str>)>,
}

impl<'a> Evaluation<'a> {
    /// The flag of this key was asked for: `feature_flag.key`.
    pub fn of(key: &'a str) -> Evaluation<'a> {
        Evaluation {
            key,
            variant: None,
            value: None,
            reason: None,
            provider: None,
            context_id: None,
            set_id: None,
            version: None,
            error: None,
        }
    }

    /// The name of the value, such as `on`: `feature_flag.result.variant`.
    pub fn variant(mut self, name: &'a str) -> Self {
        self.variant = Some(name);
        self
    }

    /// The value: `feature_flag.result.value`. It is told if it has no name, a
    /// [variant](Self::variant): values may be long or nobody else's business.
    pub fn value(mut self, value: impl Into<AttributeValue<'a>>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// Why the flag has this value: `feature_flag.result.reason`.
    pub fn reason(mut self, reason: Reason) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Who has evaluated it: `feature_flag.provider.name`.
    pub fn provider(mut self, name: &'a str) -> Self {
        self.provider = Some(name);
        self
    }

    /// For whom it was evaluated: `feature_flag.context.id`.
    pub fn context_id(mut self, id: &'a str) -> Self {
        self.context_id = Some(id);
        self
    }

    /// The set that the flag belongs to: `feature_flag.set.id`.
    pub fn set_id(mut self, id: &'a str) -> Self {
        self.set_id = Some(id);
        self
    }

    /// The version of the rules: `feature_flag.version`.
    pub fn version(mut self, version: &'a str) -> Self {
        self.version = Some(version);
        self
    }

    /// It could not be evaluated: `error.type`, one of the convention's words such as
    /// `flag_not_found`, `type_mismatch` and `general`; the reason is `error`.
    pub fn error(mut self, error_type: &'a str) -> Self {
        self.error = Some((error_type, None));
        self.reason = Some(Reason::Error);
        self
    }

    /// The same with more to say: `error.message`.
    pub fn error_with(mut self, error_type: &'a str, message: &'a str) -> Self {
        self.error = Some((error_type, Some(message)));
        self.reason = Some(Reason::Error);
        self
    }

    /// Tells of the evaluation: by an event of `tracing` at the level `DEBUG` with the target
    /// `feature_flag`, which becomes a log record where the filter lets it pass, and by an event of
    /// the current span if that is recorded.
    pub fn emit(self) {
        self.log();
        context::add_event(NAME, self.attributes());
    }

    fn attributes(&self) -> impl Iterator<Item = (&'static str, AttributeValue<'_>)> {
        let text = |key, text: Option<&'a str>| Some((key, AttributeValue::from(text?)));
        let value = self.value.clone().filter(|_| self.variant.is_none());
        [
            text("feature_flag.key", Some(self.key)),
            text("feature_flag.result.variant", self.variant),
            value.map(|value| ("feature_flag.result.value", value)),
            text(
                "feature_flag.result.reason",
                self.reason.map(Reason::as_str),
            ),
            text("feature_flag.provider.name", self.provider),
            text("feature_flag.context.id", self.context_id),
            text("feature_flag.set.id", self.set_id),
            text("feature_flag.version", self.version),
            text("error.type", self.error.map(|(error_type, _)| error_type)),
            text("error.message", self.error.and_then(|(_, message)| message)),
        ]
        .into_iter()
        .flatten()
    }

    fn log(&self) {
        if !tracing::enabled!(target: "feature_flag", tracing::Level::DEBUG) {
            return;
        }
        let value = self.value.as_ref().filter(|_| self.variant.is_none());
        let value = value.map(|value| opentelemetry::Value::from(value).to_string());
        tracing::event!(
            name: "feature_flag.evaluation",
            target: "feature_flag",
            tracing::Level::DEBUG,
            feature_flag.key = self.key,
            feature_flag.result.variant = self.variant,
            feature_flag.result.value = value,
            feature_flag.result.reason = self.reason.map(Reason::as_str),
            feature_flag.provider.name = self.provider,
            feature_flag.context.id = self.context_id,
            feature_flag.set.id = self.set_id,
            feature_flag.version = self.version,
            "error.type" = self.error.map(|(error_type, _)| error_type),
            error.message = self.error.and_then(|(_, message)| message),
        );
    }
}
