//! A place where a fault may strike.

use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crate::armed::Armed;
use crate::fault::Injected;
use crate::metrics::Metrics;
use crate::strike::strike;

/// Nobody looks at who passes: the process was not started for faults.
const UNWATCHED: u8 = 0;
/// Passes are counted.
const COUNTED: u8 = 1;
/// A fault is armed here.
const ARMED: u8 = 2;

/// A place in the code where a fault may strike. A handle: clones are the same point.
#[derive(Clone)]
pub struct Point(pub(crate) Arc<Place>);

impl Point {
    /// Goes on, unless a fault is armed here; then what the fault does, which may be never to go
    /// on. Dropped before it is done, it has struck nonetheless.
    ///
    /// Where faults are not enabled this is one relaxed load; where they are but none is armed
    /// here, a count beside.
    ///
    /// # Errors
    /// The fault that struck, where it does as an error.
    #[inline]
    pub fn pass(&self) -> Pass<'_> {
        Pass {
            point: self,
            strike: None,
        }
    }

    /// Its name within its service.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Point").field(&self.0.name).finish()
    }
}

type Strike = Pin<Box<dyn Future<Output = Result<(), Injected>> + Send>>;

/// A pass under way: [`Point::pass`].
#[must_use = "nothing is passed unless it is awaited"]
pub struct Pass<'a> {
    point: &'a Point,
    /// Aside, so that whoever passes carries no more than two words of it.
    strike: Option<Strike>,
}

impl Future for Pass<'_> {
    type Output = Result<(), Injected>;

    // By hand, so that it is inlined where it is awaited.
    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.point.0.watch.load(Relaxed) == UNWATCHED {
            return Poll::Ready(Ok(()));
        }
        self.get_mut().poll_watched(context)
    }
}

impl Pass<'_> {
    #[cold]
    #[inline(never)]
    fn poll_watched(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Injected>> {
        let place = &self.point.0;
        let strike = match &mut self.strike {
            Some(strike) => strike,
            None => match place.passed() {
                Some(armed) => self.strike.insert(Box::pin(strike(place.clone(), armed))),
                None => return Poll::Ready(Ok(())),
            },
        };
        strike.as_mut().poll(context)
    }
}

impl fmt::Debug for Pass<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pass").field(self.point).finish()
    }
}

/// What a point's handles share.
pub(crate) struct Place {
    name: Cow<'static, str>,
    about: Cow<'static, str>,
    watch: AtomicU8,
    hits: AtomicU64,
    injected: AtomicU64,
    armed: Mutex<Option<Arc<Armed>>>,
    metrics: Option<Metrics>,
}

impl Place {
    pub(crate) fn new(
        name: Cow<'static, str>,
        about: Cow<'static, str>,
        counted: bool,
        metrics: Option<Metrics>,
    ) -> Self {
        Self {
            name,
            about,
            watch: AtomicU8::new(if counted { COUNTED } else { UNWATCHED }),
            hits: AtomicU64::new(0),
            injected: AtomicU64::new(0),
            armed: Mutex::new(None),
            metrics,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn about(&self) -> &str {
        &self.about
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Relaxed)
    }

    pub(crate) fn injected(&self) -> u64 {
        self.injected.load(Relaxed)
    }

    /// Somebody passes; what strikes them, if anything does.
    fn passed(&self) -> Option<Arc<Armed>> {
        self.hits.fetch_add(1, Relaxed);
        if self.watch.load(Relaxed) != ARMED {
            return None;
        }
        let armed = self.armed().filter(|armed| armed.strikes())?;
        self.injected.fetch_add(1, Relaxed);
        if let Some(metrics) = &self.metrics {
            metrics.struck(armed.fault.action);
        }
        Some(armed)
    }

    /// What is armed here, be it at its end.
    pub(crate) fn armed(&self) -> Option<Arc<Armed>> {
        self.slot().clone()
    }

    /// Puts another fault, or none, in the place of the one before.
    pub(crate) fn replace(&self, armed: Option<Arc<Armed>>) -> Option<Arc<Armed>> {
        let mut slot = self.slot();
        let watch = if armed.is_some() { ARMED } else { COUNTED };
        self.watch.store(watch, Relaxed);
        std::mem::replace(&mut *slot, armed)
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Armed>>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
