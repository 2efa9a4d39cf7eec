//! Where a fault may strike the publisher's half.

use faults::{Around, Faults, Point};

#[derive(Clone, Debug)]
pub(crate) struct Points {
    /// Published events get their positions.
    pub(crate) numbering: Around,
    /// A batch is answered.
    pub(crate) send: Point,
    /// Old events go.
    pub(crate) retention: Around,
}

impl Points {
    pub(crate) fn new(faults: &Faults) -> Self {
        Self {
            numbering: faults.around("feed", "commit", "published events get their positions"),
            send: faults.point("feed.before_send", "a batch of the feed is answered"),
            retention: faults.around("retention", "commit", "old events are taken away"),
        }
    }
}
