//! Where a fault may strike the publisher's half.

use faults::{Faults, Point};

/// Around one commit.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    pub(crate) before: Point,
    pub(crate) after: Point,
}

impl Around {
    /// The points `<step>.before_<what>` and `<step>.after_<what>`.
    pub(crate) fn new(faults: &Faults, step: &str, what: &str, about: &str) -> Self {
        let point = |when: &str| {
            let about = format!("{about}; {when} the {what}");
            faults.point(format!("{step}.{when}_{what}"), about)
        };
        Self {
            before: point("before"),
            after: point("after"),
        }
    }
}

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
            numbering: Around::new(faults, "feed", "commit", "events get their positions"),
            send: faults.point("feed.before_send", "a batch of the feed is answered"),
            retention: Around::new(faults, "retention", "commit", "old events are taken away"),
        }
    }
}
