//! Every point of a process instance, and what is armed there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use prometheus::Registry;

use crate::armed::{Armed, over};
use crate::fault::Fault;
use crate::metrics::Metrics;
use crate::point::{Place, Point};

/// Most faults that are armed at once.
pub const MAX_ARMED: usize = 8;

/// Why a fault was not armed, renewed or disarmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The process was not started for faults.
    #[error("faults are not enabled")]
    Disabled,
    /// There is no point of this name.
    #[error("unknown point")]
    UnknownPoint,
    /// Nothing is armed at the point, or its lease has ended.
    #[error("nothing is armed here")]
    NotArmed,
    /// So many are armed already.
    #[error("{MAX_ARMED} faults are armed already")]
    TooMany,
    /// There is no such fault.
    #[error("{0}")]
    Invalid(&'static str),
}

/// A point as operators see it.
#[derive(Debug, Clone, PartialEq)]
pub struct PointState {
    /// Its name within its service.
    pub name: String,
    /// What has and has not happened where it stands.
    pub about: String,
    /// How often it was passed since the process began, struck or not.
    pub hits: u64,
    /// How many of these passes a fault has struck.
    pub injected: u64,
    /// What is armed here.
    pub armed: Option<ArmedState>,
}

/// An armed fault as operators see it.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmedState {
    /// What was asked for.
    pub fault: Fault,
    /// How many times it has struck.
    pub injected: u64,
    /// How many times it may strike yet; `None`: as often as the point is passed.
    pub left: Option<u64>,
    /// It ends after this, unless it is renewed.
    pub ends_in: Duration,
}

/// The faults of one process instance. A handle: clones share everything. The default has none
/// that could be armed, and shows no metrics.
#[derive(Clone, Default)]
pub struct Faults(Arc<Shared>);

type Places = BTreeMap<Cow<'static, str>, Arc<Place>>;

#[derive(Default)]
struct Shared {
    enabled: bool,
    places: Mutex<Places>,
    /// None where nothing can be armed and nobody looks.
    metrics: Option<Metrics>,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults")
            .field("enabled", &self.0.enabled)
            .finish_non_exhaustive()
    }
}

impl Faults {
    /// Faults that can be armed if they are `enabled`, with their metrics on `registry`.
    ///
    /// # Errors
    /// A metric's name is taken.
    pub fn new(enabled: bool, registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Metrics::new()?;
        metrics.register(registry)?;
        Ok(Self(Arc::new(Shared {
            enabled,
            places: Mutex::default(),
            metrics: Some(metrics),
        })))
    }

    /// Whether any can be armed.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.0.enabled
    }

    /// A place in the code, known by `name` within its service; `about` says what has and has not
    /// happened there. The same name is the same point.
    pub fn point(
        &self,
        name: impl Into<Cow<'static, str>>,
        about: impl Into<Cow<'static, str>>,
    ) -> Point {
        let mut places = self.0.places();
        let all = places.len();
        Point(match places.entry(name.into()) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(free) => {
                if let Some(metrics) = &self.0.metrics {
                    metrics.points.set(count(all + 1));
                }
                let (name, metrics) = (free.key().clone(), self.0.metrics.clone());
                let place = Place::new(name, about.into(), self.0.enabled, metrics);
                free.insert(Arc::new(place)).clone()
            }
        })
    }

    /// Every point, by name.
    #[must_use]
    pub fn points(&self) -> Vec<PointState> {
        let places = self.0.places();
        places.values().map(|place| state(place)).collect()
    }

    /// Arms a fault at a point, instead of any other that is armed there. It ends by itself.
    ///
    /// # Errors
    /// It cannot be armed: see [`Refused`].
    ///
    /// # Panics
    /// Outside of a tokio runtime, whose clock the lease is kept by.
    pub fn arm(&self, point: &str, fault: Fault) -> Result<PointState, Refused> {
        let places = self.0.enabled_places()?;
        let place = places.get(point).ok_or(Refused::UnknownPoint)?;
        fault.check().map_err(Refused::Invalid)?;
        let others = places.values().filter(|other| !Arc::ptr_eq(other, place));
        if active(others) >= MAX_ARMED {
            return Err(Refused::TooMany);
        }
        let armed = Arc::new(Armed::new(fault));
        if let Some(before) = place.replace(Some(armed.clone())) {
            before.end();
        }
        self.0.show(&places);
        tracing::warn!(
            point,
            action = fault.action.name(),
            probability = fault.probability,
            count = fault.count,
            lease_ms = millis(fault.lease),
            ttl_ms = millis(fault.ttl),
            "fault armed"
        );
        let armed_state = state(place);
        let lease = armed.lease();
        let (shared, place, armed) = (
            Arc::downgrade(&self.0),
            Arc::downgrade(place),
            Arc::downgrade(&armed),
        );
        tokio::spawn(async move {
            over(lease).await;
            Shared::expire(&shared, &place, &armed);
        });
        Ok(armed_state)
    }

    /// Begins the lease of what is armed at a point anew.
    ///
    /// # Errors
    /// Nothing is armed there, or it has ended.
    pub fn renew(&self, point: &str) -> Result<PointState, Refused> {
        let places = self.0.enabled_places()?;
        let place = places.get(point).ok_or(Refused::UnknownPoint)?;
        match place.armed() {
            Some(armed) if armed.renew() => Ok(state(place)),
            _ => Err(Refused::NotArmed),
        }
    }

    /// Ends what is armed at a point, if anything is; whoever waits there goes on.
    ///
    /// # Errors
    /// There is no such point, or no fault can be armed at all.
    pub fn disarm(&self, point: &str) -> Result<(), Refused> {
        let places = self.0.enabled_places()?;
        let place = places.get(point).ok_or(Refused::UnknownPoint)?;
        if let Some(armed) = place.replace(None) {
            armed.end();
            self.0.show(&places);
            tracing::warn!(
                point,
                action = armed.fault.action.name(),
                injected = armed.injected(),
                "fault disarmed"
            );
        }
        Ok(())
    }
}

impl Shared {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enabled_places(&self) -> Result<MutexGuard<'_, Places>, Refused> {
        if self.enabled {
            Ok(self.places())
        } else {
            Err(Refused::Disabled)
        }
    }

    fn show(&self, places: &Places) {
        if let Some(metrics) = &self.metrics {
            metrics.active.set(count(active(places.values())));
        }
    }

    /// Clears away a fault whose lease has ended, unless another stands in its place.
    fn expire(shared: &Weak<Self>, place: &Weak<Place>, armed: &Weak<Armed>) {
        let (Some(shared), Some(place), Some(armed)) =
            (shared.upgrade(), place.upgrade(), armed.upgrade())
        else {
            return;
        };
        let places = shared.places();
        if !place.armed().is_some_and(|now| Arc::ptr_eq(&now, &armed)) {
            return;
        }
        place.replace(None);
        shared.show(&places);
        tracing::warn!(
            point = place.name(),
            action = armed.fault.action.name(),
            injected = armed.injected(),
            "fault expired"
        );
    }
}

/// How many faults are armed among these.
fn active<'a>(places: impl Iterator<Item = &'a Arc<Place>>) -> usize {
    let armed = places.filter_map(|place| place.armed()?.remaining());
    armed.count()
}

fn state(place: &Place) -> PointState {
    let armed = place.armed().and_then(|armed| {
        Some(ArmedState {
            fault: armed.fault,
            injected: armed.injected(),
            left: armed.left(),
            ends_in: armed.remaining()?,
        })
    });
    PointState {
        name: place.name().to_owned(),
        about: place.about().to_owned(),
        hits: place.hits(),
        injected: place.injected(),
        armed,
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
