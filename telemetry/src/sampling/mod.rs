//! Which traces are recorded, decided before anything else is done for a span.
//!
//! Built by the specification's
//! [built-in samplers](https://opentelemetry.io/docs/specs/otel/trace/sdk/#built-in-samplers) and
//! [consistent probability sampling](https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/):
//! services that take different shares take the same traces as far as both take any, and what a
//! span stands for can be told from its `tracestate`.
//!
//! What differs from the official SDK for Rust, 0.33:
//! - It decides by 63 bits of the trace id and leaves no trace of its ratio; here 56 bits decide, an
//!   explicit randomness (`ot=rv:...`) before them, and the threshold is written (`ot=th:...`).
//! - Its decorator for parents takes a span of the OpenTelemetry API that is not valid for a parent
//!   that is not recorded. Here only a valid one is a parent.
//! - Rules by route, a limit of traces a second, and changes at run time are not in it.

mod decide;
mod entry;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod limit;
mod ratio;
mod rule;

use std::fmt;
use std::num::NonZeroU32;

pub(crate) use decide::{Beginning, Decision, Sampling};
pub use ratio::{Ratio, RatioError};
pub(crate) use rule::Subject;
pub use rule::{Route, Rule};

/// Which traces are recorded (`OTEL_TRACES_SAMPLER`). The default is
/// `parentbased_always_on`.
///
/// `Display` describes it as the specification wants.
///
/// ```
/// use std::num::NonZeroU32;
/// use telemetry::sampling::{Ratio, Route, Rule, Sampler};
///
/// let health_checks = Rule {
///     route: Route::Is("/healthz".to_owned()),
///     method: None,
///     ratio: Ratio::NONE,
/// };
/// let root = Sampler::Ratio("0.1".parse()?)
///     .unless([health_checks])
///     .limited(NonZeroU32::new(100).ok_or("a limit above 0")?);
/// let sampler = Sampler::parent_based(root);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Sampler {
    /// `always_on`: every span. It leaves `tracestate` alone, as its specification does, and so
    /// costs nothing; only a threshold that it makes untrue becomes `th:0`. A ratio of 1 records the
    /// same and writes `th:0` always.
    AlwaysOn,
    /// `always_off`: no span.
    AlwaysOff,
    /// `traceidratio`: a share of the traces, the same ones wherever the same share is taken.
    /// Callers' decisions do not count.
    Ratio(Ratio),
    /// The share of the first rule that is for the request, and else what another sampler says.
    /// Rules are for spans that begin a trace or come from another process.
    Rules {
        /// In order.
        rules: Vec<Rule>,
        /// For all other requests.
        otherwise: Box<Sampler>,
    },
    /// What another sampler takes, but no more than so many a second; a second's may come at once.
    ///
    /// There is no threshold in what it takes: whether a trace is taken depends on how many came
    /// before it, so the probability is not known, and a sampler that does not know it has to
    /// erase it.
    Limited {
        /// So many begin here each second at most.
        traces_per_second: NonZeroU32,
        /// Decides first: what it leaves out uses no part of the limit.
        of: Box<Sampler>,
    },
    /// `parentbased_*`: what the parent decided.
    ParentBased(Box<ParentBased>),
}

/// Samplers for the five kinds of parents a span can have. A branch that is `None` keeps the
/// parent's decision, and its threshold with it, unless the two contradict each other.
#[derive(Debug, Clone, PartialEq)]
pub struct ParentBased {
    /// The span begins a trace.
    pub root: Sampler,
    /// The parent is in another process, and recorded.
    pub remote_sampled: Option<Sampler>,
    /// The parent is in another process, and not recorded.
    pub remote_not_sampled: Option<Sampler>,
    /// The parent is in this process, and recorded.
    pub local_sampled: Option<Sampler>,
    /// The parent is in this process, and not recorded.
    pub local_not_sampled: Option<Sampler>,
}

impl Sampler {
    /// Parents' decisions are kept; traces that begin here are decided by `root`.
    #[must_use]
    pub fn parent_based(root: Sampler) -> Sampler {
        Sampler::ParentBased(Box::new(ParentBased {
            root,
            remote_sampled: None,
            remote_not_sampled: None,
            local_sampled: None,
            local_not_sampled: None,
        }))
    }

    /// The same, but for requests that a rule is for.
    #[must_use]
    pub fn unless(self, rules: impl IntoIterator<Item = Rule>) -> Sampler {
        Sampler::Rules {
            rules: rules.into_iter().collect(),
            otherwise: Box::new(self),
        }
    }

    /// The same, but no more than so many traces a second.
    #[must_use]
    pub fn limited(self, traces_per_second: NonZeroU32) -> Sampler {
        Sampler::Limited {
            traces_per_second,
            of: Box::new(self),
        }
    }
}

impl Default for Sampler {
    fn default() -> Self {
        Sampler::parent_based(Sampler::AlwaysOn)
    }
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sampler::AlwaysOn => f.write_str("AlwaysOnSampler"),
            Sampler::AlwaysOff => f.write_str("AlwaysOffSampler"),
            Sampler::Ratio(ratio) => write!(f, "TraceIdRatioBased{{{ratio}}}"),
            Sampler::Rules { rules, otherwise } => {
                f.write_str("RuleBased{")?;
                for rule in rules {
                    let (Route::Is(route) | Route::StartsWith(route)) = &rule.route;
                    let star = match rule.route {
                        Route::Is(_) => "",
                        Route::StartsWith(_) => "*",
                    };
                    if let Some(method) = &rule.method {
                        write!(f, "{method} ")?;
                    }
                    write!(f, "{route}{star}:{},", rule.ratio)?;
                }
                write!(f, "{otherwise}}}")
            }
            Sampler::Limited {
                traces_per_second,
                of,
            } => write!(f, "RateLimited{{{traces_per_second}/s,{of}}}"),
            Sampler::ParentBased(branches) => {
                let branch = |sampler: &Option<Sampler>| match sampler {
                    Some(sampler) => sampler.to_string(),
                    None => "Parent".to_owned(),
                };
                write!(
                    f,
                    "ParentBased{{root:{},remoteParentSampled:{},remoteParentNotSampled:{},\
                     localParentSampled:{},localParentNotSampled:{}}}",
                    branches.root,
                    branch(&branches.remote_sampled),
                    branch(&branches.remote_not_sampled),
                    branch(&branches.local_sampled),
                    branch(&branches.local_not_sampled),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
