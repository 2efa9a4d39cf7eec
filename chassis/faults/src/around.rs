//! The two points around one commit or one call.

use std::future::Future;

use crate::{Faults, Injected, Point};

/// A point before some work and one after it: see [`Faults::around`].
#[derive(Debug, Clone)]
pub struct Around {
    before: Point,
    after: Point,
}

impl Faults {
    /// The points `{step}.before_{what}` and `{step}.after_{what}`, as in `reserve.before_send`;
    /// `about` says what is done between them.
    pub fn around(&self, step: &str, what: &str, about: &str) -> Around {
        let point = |side: &str, at: &str| {
            self.point(format!("{step}.{side}_{what}"), format!("{at} {about}."))
        };
        Around {
            before: point("before", "Before"),
            after: point("after", "After"),
        }
    }
}

impl Around {
    /// Runs `work` between the two. A fault that strikes after it hides what became of it.
    ///
    /// # Errors
    /// Those of the work, and faults that strike as errors.
    pub async fn pass<T, E, F>(&self, work: F) -> Result<T, E>
    where
        E: From<Injected>,
        F: Future<Output = Result<T, E>>,
    {
        self.before.pass().await?;
        let outcome = work.await;
        self.after.pass().await?;
        outcome
    }
}
