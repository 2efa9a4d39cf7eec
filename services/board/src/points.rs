//! Where a fault may strike: before and after each commit and each call.

use faults::{Around, Faults};

pub(crate) struct Points {
    /// Writing a post and its event.
    pub(crate) post: Around,
    /// Asking what members are called.
    pub(crate) names: Around,
}

impl Points {
    pub(crate) fn new(faults: &Faults) -> Self {
        Self {
            post: faults.around("post", "commit", "a post and its event are written"),
            names: faults.around("names", "send", "users is asked for names"),
        }
    }
}
