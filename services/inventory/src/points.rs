//! Where faults may strike: before and after each commit.

use faults::{Faults, Point};

/// Both sides of one transaction's commit.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    /// All is written and nothing is durable: a fault here undoes it.
    pub before: Point,
    /// All is durable and nobody has been told: a fault here loses the answer.
    pub after: Point,
}

/// One pair for each kind of transaction.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    pub reserve: Commit,
    pub confirm: Commit,
    pub release: Commit,
    pub expire: Commit,
    pub adjust: Commit,
}

impl Points {
    pub(crate) fn new(faults: &Faults) -> Self {
        let commit = |before: &'static str, after: &'static str| Commit {
            before: faults.point(before, "all is written, nothing is durable"),
            after: faults.point(after, "all is durable, nobody has been told"),
        };
        Self {
            reserve: commit("reserve.before_commit", "reserve.after_commit"),
            confirm: commit("confirm.before_commit", "confirm.after_commit"),
            release: commit("release.before_commit", "release.after_commit"),
            expire: commit("expire.before_commit", "expire.after_commit"),
            adjust: commit("adjust.before_commit", "adjust.after_commit"),
        }
    }
}
