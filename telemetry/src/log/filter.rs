//! Which events become lines, changed while the service runs.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber, callsite};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::{Context, Filter};

/// A log filter that could not be understood. The one in force stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log filter {directives:?} is not valid: {reason}")]
pub struct FilterError {
    directives: String,
    reason: String,
}

impl FilterError {
    fn new(directives: &str, reason: &dyn fmt::Display) -> FilterError {
        FilterError {
            directives: directives.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// A parsed filter.
#[derive(Debug)]
struct Directives {
    filter: EnvFilter,
    /// It depends on the spans around an event, and must see them come and go.
    follows_spans: bool,
}

impl Directives {
    /// `own` is the level of this crate's own lines, whatever the directives say.
    fn parse(directives: &str, own: Option<LevelFilter>) -> Result<Directives, FilterError> {
        if directives.trim().is_empty() {
            // The grammar would take it for "errors only", which nobody means by nothing.
            return Err(FilterError::new(
                directives,
                &"it is empty, write for example info",
            ));
        }
        if names_a_value(directives) {
            // As an expression it can take minutes to be understood, and two alike end in a panic
            // (tracing-subscriber 0.3.23).
            return Err(FilterError::new(
                directives,
                &"fields are known by their names only, write for example [span{field}]=debug",
            ));
        }
        // White space around a directive makes it take the wrong part of the text for a target, or
        // panic (tracing-subscriber 0.3.23, `Directive::parse`).
        let trimmed: Vec<_> = directives.split(',').map(str::trim).collect();
        let mut filter = EnvFilter::builder()
            .with_regex(false)
            .parse(trimmed.join(","))
            .map_err(|error| FilterError::new(directives, &error))?;
        if let Some(level) = own {
            let own = format!("telemetry={level}").parse();
            filter =
                filter.add_directive(own.map_err(|error| FilterError::new(directives, &error))?);
        }
        Ok(Directives {
            filter,
            follows_spans: directives.contains('['),
        })
    }
}

/// There is a `=` between braces.
fn names_a_value(directives: &str) -> bool {
    let mut fields = directives.split('{').skip(1);
    fields.any(|fields| {
        fields
            .split('}')
            .next()
            .is_some_and(|fields| fields.contains('='))
    })
}

/// The filter of a layer, replaced without a lock on the side of those who log.
#[derive(Debug)]
pub(super) struct LiveFilter {
    directives: Arc<ArcSwap<Directives>>,
}

/// Changes the filter of a running log layer. The default has no layer: it only checks.
#[derive(Debug, Clone, Default)]
pub(crate) struct FilterHandle {
    directives: Option<Arc<ArcSwap<Directives>>>,
    own: Option<LevelFilter>,
}

impl LiveFilter {
    /// The filter, and the handle that changes it.
    pub(super) fn new(
        directives: &str,
        own: Option<LevelFilter>,
    ) -> Result<(LiveFilter, FilterHandle), FilterError> {
        let parsed = Directives::parse(directives, own)?;
        let directives = Arc::new(ArcSwap::from_pointee(parsed));
        let handle = FilterHandle {
            directives: Some(Arc::clone(&directives)),
            own,
        };
        Ok((LiveFilter { directives }, handle))
    }
}

impl FilterHandle {
    /// Whether the filter has to see spans come and go.
    pub(crate) fn follows_spans(&self) -> bool {
        let directives = self.directives.as_ref();
        directives.is_some_and(|directives| directives.load().follows_spans)
    }

    /// Replaces the filter for all services of the process.
    pub(crate) fn set(&self, directives: &str) -> Result<(), FilterError> {
        let parsed = Directives::parse(directives, self.own)?;
        if let Some(current) = &self.directives {
            current.store(Arc::new(parsed));
            // What each place in the code was told about its interest is out of date.
            callsite::rebuild_interest_cache();
        }
        Ok(())
    }
}

impl<S: Subscriber> Filter<S> for LiveFilter {
    fn enabled(&self, metadata: &Metadata<'_>, context: &Context<'_, S>) -> bool {
        let directives = self.directives.load();
        directives.filter.enabled(metadata, context.clone())
    }

    /// Never more than "sometimes". A filter's answer travels to its layer in a thread-local
    /// that is fresh only if `enabled` was asked for this very event; after "always" it is not,
    /// and then an answer about something else, say from `tracing::enabled!`, loses events and
    /// spans (github.com/tokio-rs/tracing/pull/3572).
    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        let directives = self.directives.load();
        let interest = Filter::<S>::callsite_enabled(&directives.filter, metadata);
        if interest.is_never() {
            interest
        } else {
            Interest::sometimes()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.directives.load().filter.max_level_hint()
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let directives = self.directives.load();
        if directives.follows_spans {
            directives.filter.on_new_span(attributes, id, context);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let directives = self.directives.load();
        if directives.follows_spans {
            directives.filter.on_record(id, values, context);
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let directives = self.directives.load();
        if directives.follows_spans {
            directives.filter.on_enter(id, context);
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let directives = self.directives.load();
        if directives.follows_spans {
            directives.filter.on_exit(id, context);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let directives = self.directives.load();
        if directives.follows_spans {
            directives.filter.on_close(id, context);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_directives_means_nothing() {
        let shown = |text| Directives::parse(text, None).map(|parsed| parsed.filter.to_string());
        assert_eq!(
            shown(" info,  catalog::http=debug ,\tusers=warn\n").unwrap(),
            shown("info,catalog::http=debug,users=warn").unwrap()
        );
        shown("info,\u{c}\u{45a}[][\"v").unwrap_err();
    }

    #[test]
    fn the_error_says_what_is_wrong() {
        for wrong in ["", "  ", "catalog=loud", "info,[", "a=b=c", "[a{b=1}]=info"] {
            let error = FilterHandle::default().set(wrong).unwrap_err();
            assert!(error.to_string().contains(&format!("{wrong:?}")), "{error}");
        }
        FilterHandle::default()
            .set("info,catalog::http=debug,[search]=trace")
            .unwrap();
    }
}
