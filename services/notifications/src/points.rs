//! Where a fault may strike on the way out: before and after each commit and each send. Those of
//! the way in are the chassis'.

use faults::{Around, Faults};

#[derive(Debug, Clone)]
pub(crate) struct Points {
    /// The claim on a notification that is about to be sent.
    pub(crate) claim: Around,
    /// The sending.
    pub(crate) mail: Around,
    /// What came of it.
    pub(crate) sent: Around,
}

impl Points {
    pub(crate) fn new(faults: &Faults) -> Self {
        Self {
            claim: faults.around("claim", "commit", "a notification to send is claimed"),
            mail: faults.around("mail", "send", "a notification is sent"),
            sent: faults.around(
                "sent",
                "commit",
                "it is written that a notification was sent",
            ),
        }
    }
}
