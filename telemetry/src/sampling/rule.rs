//! Which requests a rule is for.

use super::Ratio;
use http::Method;

/// Takes a share of the traces that begin with certain requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Which routes it is for.
    pub route: Route,
    /// Which method it is for; `None` is every one.
    pub method: Option<Method>,
    /// The share.
    pub ratio: Ratio,
}

/// Which routes a [`Rule`] is for. What it is compared with is the template that matched, such as
/// `/orders/{id}`; where a span begins before anything matched, the path stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Exactly this one.
    Is(String),
    /// All that begin with this.
    StartsWith(String),
}

/// A span that begins a trace, as far as rules ask.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Subject<'a> {
    /// The template, or else the path; empty if there is neither.
    pub(crate) route: &'a str,
    /// Empty if there is none.
    pub(crate) method: &'a str,
}

impl Rule {
    pub(super) fn is_for(&self, subject: Subject<'_>) -> bool {
        let route = match &self.route {
            Route::Is(route) => subject.route == route,
            Route::StartsWith(prefix) => subject.route.starts_with(prefix.as_str()),
        };
        let method = self.method.as_ref();
        route && method.is_none_or(|method| method.as_str() == subject.method)
    }
}
