//! Faults on purpose: free when disarmed, leased when armed.

#![warn(missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;

/// The faults of one process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Faults {}

impl Faults {
    /// A place in the code, known by `name` within its service.
    #[must_use]
    pub fn point(&self, name: &'static str, about: &'static str) -> Point {
        let _ = (name, about);
        Point::default()
    }
}

/// A place where a fault may strike.
#[derive(Debug, Clone, Default)]
pub struct Point(Arc<AtomicBool>);

impl Point {
    /// Goes on, unless a fault is armed here.
    ///
    /// # Errors
    /// The fault that struck.
    #[inline]
    pub async fn pass(&self) -> Result<(), Injected> {
        if !self.0.load(Ordering::Relaxed) {
            return Ok(());
        }
        Ok(())
    }
}

/// A fault that struck as an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Injected {
    /// As if the other side had answered this.
    #[error("injected: status {0}")]
    Status(StatusCode),
    /// As if nobody listened.
    #[error("injected: connection refused")]
    Refused,
    /// As if the connection had broken.
    #[error("injected: connection reset")]
    Reset,
}
