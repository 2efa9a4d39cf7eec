//! The decision for one span.

use super::entry::{self, Entry};
use super::limit::Bucket;
use super::ratio::{Randomness, Threshold};
use super::{ParentBased, Ratio, Rule, Sampler, Subject};
use crate::context::{SpanContext, TraceFlags, TraceId, TraceState};
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What becomes of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) sampled: bool,
    /// The span's `tracestate`, if it is not its parent's.
    pub(crate) tracestate: Option<TraceState>,
}

/// A span that begins, as far as samplers ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beginning<'a> {
    pub(crate) trace_id: TraceId,
    pub(crate) parent: Option<&'a SpanContext>,
    /// The parent is in another process.
    pub(crate) remote: bool,
}

/// A service's sampler, which can be replaced while it is used.
#[derive(Debug)]
pub(crate) struct Sampling {
    /// What is usual, in one word that is read instead of the plan. See [`Word`].
    word: AtomicU64,
    plan: ArcSwap<Plan>,
    /// A presumption about somebody's trace ids was reported.
    pub(super) presumed: AtomicBool,
}

impl Sampling {
    pub(crate) fn new(sampler: &Sampler) -> Sampling {
        let plan = Plan::of(sampler);
        Sampling {
            word: AtomicU64::new(Word::of(&plan).0),
            plan: ArcSwap::from_pointee(plan),
            presumed: AtomicBool::new(false),
        }
    }

    /// For spans that begin from now on. For a moment some are decided by the word of one sampler
    /// and others by the plan of the next.
    pub(crate) fn replace(&self, sampler: &Sampler) {
        let plan = Plan::of(sampler);
        let word = Word::of(&plan);
        self.plan.store(plan.into());
        self.word.store(word.0, Ordering::Relaxed);
    }

    /// Within this process a parent's decision always stands.
    pub(crate) fn keeps_local(&self) -> bool {
        self.word.load(Ordering::Relaxed) & Word::LOCAL != 0
    }

    /// The subject is asked for where rules may look at it.
    #[inline]
    pub(crate) fn decide<'a>(
        &self,
        span: &Beginning<'_>,
        subject: impl FnOnce() -> Subject<'a>,
    ) -> Decision {
        let word = Word(self.word.load(Ordering::Relaxed));
        word.decide(span).unwrap_or_else(|| self.ask(span, subject))
    }

    #[cold]
    fn ask<'a>(&self, span: &Beginning<'_>, subject: impl FnOnce() -> Subject<'a>) -> Decision {
        self.by_plan(span, subject())
    }

    pub(super) fn by_plan(&self, span: &Beginning<'_>, subject: Subject<'_>) -> Decision {
        let state = span
            .parent
            .map_or(&TraceState::NONE, |parent| &parent.tracestate);
        let entry = Entry::of(state);
        let explicit = entry.and_then(Entry::randomness);
        let randomness = explicit.unwrap_or_else(|| Randomness::of(span.trace_id));
        let plan = self.plan.load();
        let outcome = plan.decide(span, subject, randomness);
        if outcome.by_ratio && explicit.is_none() {
            self.presume_random(span.parent);
        }
        Decision {
            sampled: outcome.sampled,
            tracestate: outcome.mark.apply(state, outcome.sampled, randomness),
        }
    }

    /// The specification wants it to be said when trace ids of others are presumed to be random.
    fn presume_random(&self, parent: Option<&SpanContext>) {
        let unknown = parent.is_some_and(|parent| parent.is_valid() && !parent.flags.is_random());
        if unknown && !self.presumed.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a sampler presumes that the trace ids of a caller are random, which its trace \
                 flags do not say: it should follow Trace Context level 2"
            );
        }
    }
}

/// The samplers that most services have, in one word: three bits that say what parents are for, two
/// for what is done without one, and 56 for a threshold.
#[derive(Debug, Clone, Copy)]
struct Word(u64);

impl Word {
    /// Parents in other processes decide.
    const REMOTE: u64 = 1 << 56;
    /// Parents in this process decide.
    const LOCAL: u64 = 1 << 57;
    /// Parents in other processes are as good as none.
    const ALONE: u64 = 1 << 58;
    const KIND: u64 = 3 << 59;
    const ON: u64 = 1 << 59;
    const OFF: u64 = 2 << 59;
    const RATIO: u64 = 3 << 59;

    fn of(plan: &Plan) -> Word {
        let (branches, root) = match plan {
            Plan::ParentBased(branches) => {
                let keeps = |branch: &[Option<Plan>; 2]| branch.iter().all(Option::is_none);
                let remote = if keeps(&branches.remote) {
                    Word::REMOTE
                } else {
                    0
                };
                let local = if keeps(&branches.local) {
                    Word::LOCAL
                } else {
                    0
                };
                (remote | local, &branches.root)
            }
            // Within the process a decision stands, whatever the sampler thinks of callers.
            plan => (Word::LOCAL | Word::ALONE, plan),
        };
        let kind = match root {
            Plan::On => Word::ON,
            Plan::Off => Word::OFF,
            Plan::Ratio { threshold, .. } => Word::RATIO | threshold.bits(),
            _ => 0,
        };
        Word(branches | kind)
    }

    /// `None` where there is more to look at.
    #[inline]
    fn decide(self, span: &Beginning<'_>) -> Option<Decision> {
        let unchanged = |sampled| {
            Some(Decision {
                sampled,
                tracestate: None,
            })
        };
        let mut alone = true;
        if let Some(parent) = span.parent {
            let decides = if span.remote {
                Word::REMOTE
            } else {
                Word::LOCAL
            };
            let decided = self.0 & decides != 0 && !parent.flags.has(TraceFlags::DEFERRED);
            // The threshold of a parent in this process has been looked at.
            let settled = !span.remote || parent.tracestate == TraceState::NONE;
            if decided && settled {
                return unchanged(parent.flags.is_sampled());
            }
            if decided || !settled || self.0 & Word::ALONE == 0 {
                return None;
            }
            alone = false;
        }
        match self.0 & Word::KIND {
            Word::ON => unchanged(true),
            Word::OFF => unchanged(false),
            Word::RATIO
                if alone && !Threshold::from_bits(self.0).takes(Randomness::of(span.trace_id)) =>
            {
                unchanged(false)
            }
            _ => None,
        }
    }
}

/// A sampler at work.
#[derive(Debug)]
enum Plan {
    On,
    Off,
    Ratio {
        threshold: Threshold,
        /// The state of a trace that begins.
        alone: TraceState,
    },
    Rules(Vec<(Rule, Plan)>, Box<Plan>),
    Limited(Bucket, Box<Plan>),
    ParentBased(Box<Branches>),
}

/// By whether the parent is recorded. `None` is the parent's decision.
#[derive(Debug)]
struct Branches {
    root: Plan,
    remote: [Option<Plan>; 2],
    local: [Option<Plan>; 2],
}

/// What a plan says of a span.
#[derive(Debug)]
struct Outcome<'a> {
    sampled: bool,
    mark: Mark<'a>,
    by_ratio: bool,
}

/// What becomes of the threshold in the span's `tracestate`.
#[derive(Debug)]
enum Mark<'a> {
    /// It stays unless it contradicts the decision.
    Keep,
    /// Nobody knows the probability.
    Erase,
    /// It is this; with the state of a trace that begins.
    Write(Threshold, &'a TraceState),
    /// If there is one, it becomes zero: every span is taken.
    Zero,
}

impl Plan {
    fn of(sampler: &Sampler) -> Plan {
        match sampler {
            Sampler::AlwaysOn => Plan::On,
            Sampler::AlwaysOff => Plan::Off,
            Sampler::Ratio(ratio) => Plan::of_ratio(*ratio),
            Sampler::Rules { rules, otherwise } => {
                let rules = rules.iter();
                let rules = rules.map(|rule| (rule.clone(), Plan::of_ratio(rule.ratio)));
                Plan::Rules(rules.collect(), Box::new(Plan::of(otherwise)))
            }
            Sampler::Limited {
                traces_per_second,
                of,
            } => Plan::Limited(Bucket::new(*traces_per_second), Box::new(Plan::of(of))),
            Sampler::ParentBased(branches) => Plan::ParentBased(Box::new(Branches::of(branches))),
        }
    }

    fn of_ratio(ratio: Ratio) -> Plan {
        // No trace at all is not a probability.
        ratio
            .threshold()
            .map_or(Plan::Off, |threshold| Plan::Ratio {
                threshold,
                alone: entry::with_threshold(&TraceState::NONE, Some(threshold)),
            })
    }

    fn decide(
        &self,
        span: &Beginning<'_>,
        subject: Subject<'_>,
        randomness: Randomness,
    ) -> Outcome<'_> {
        let outcome = |sampled, mark| Outcome {
            sampled,
            mark,
            by_ratio: false,
        };
        match self {
            Plan::On => outcome(true, Mark::Zero),
            Plan::Off => outcome(false, Mark::Erase),
            Plan::Ratio { threshold, alone } => {
                let sampled = threshold.takes(randomness);
                let mark = match sampled {
                    true => Mark::Write(*threshold, alone),
                    false => Mark::Erase,
                };
                Outcome {
                    by_ratio: true,
                    ..outcome(sampled, mark)
                }
            }
            Plan::Rules(rules, otherwise) => {
                let rule = rules.iter().find(|(rule, _)| rule.is_for(subject));
                rule.map_or(&**otherwise, |(_, plan)| plan)
                    .decide(span, subject, randomness)
            }
            Plan::Limited(bucket, of) => {
                let outcome = of.decide(span, subject, randomness);
                Outcome {
                    sampled: outcome.sampled && bucket.take(),
                    mark: Mark::Erase,
                    ..outcome
                }
            }
            Plan::ParentBased(branches) => match branches.of_parent(span) {
                Ok(plan) => plan.decide(span, subject, randomness),
                Err(sampled) => outcome(sampled, Mark::Keep),
            },
        }
    }
}

impl Branches {
    fn of(branches: &ParentBased) -> Branches {
        let plan = |sampler: &Option<Sampler>| sampler.as_ref().map(Plan::of);
        Branches {
            root: Plan::of(&branches.root),
            remote: [
                plan(&branches.remote_not_sampled),
                plan(&branches.remote_sampled),
            ],
            local: [
                plan(&branches.local_not_sampled),
                plan(&branches.local_sampled),
            ],
        }
    }

    /// The plan for a span, or the decision of its parent.
    fn of_parent(&self, span: &Beginning<'_>) -> Result<&Plan, bool> {
        // A caller that leaves the decision to us is as good as none.
        let decided = |parent: &&SpanContext| !parent.flags.has(TraceFlags::DEFERRED);
        let Some(parent) = span.parent.filter(decided) else {
            return Ok(&self.root);
        };
        let sampled = parent.flags.is_sampled();
        let branches = if span.remote {
            &self.remote
        } else {
            &self.local
        };
        branches[usize::from(sampled)].as_ref().ok_or(sampled)
    }
}

impl Mark<'_> {
    /// `None` if nothing changes.
    fn apply(
        &self,
        state: &TraceState,
        sampled: bool,
        randomness: Randomness,
    ) -> Option<TraceState> {
        let entry = Entry::of(state);
        let old = entry.and_then(Entry::threshold);
        let there = entry.is_some_and(Entry::has_threshold);
        match self {
            Mark::Keep => {
                let agrees = old.is_some_and(|old| old.takes(randomness) == sampled);
                (there && !agrees).then(|| entry::with_threshold(state, None))
            }
            Mark::Erase => there.then(|| entry::with_threshold(state, None)),
            Mark::Write(_, alone) if *state == TraceState::NONE => Some((*alone).clone()),
            Mark::Write(threshold, _) => {
                (old != Some(*threshold)).then(|| entry::with_threshold(state, Some(*threshold)))
            }
            Mark::Zero => (there && old != Some(Threshold::ZERO))
                .then(|| entry::with_threshold(state, Some(Threshold::ZERO))),
        }
    }
}
