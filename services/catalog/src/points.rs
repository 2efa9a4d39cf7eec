//! Where faults may strike: before and after each commit.

use faults::{Around, Faults};

/// One pair for each kind of transaction of this service's own.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    pub(crate) fill: Around,
    pub(crate) create: Around,
    pub(crate) replace: Around,
    pub(crate) delete: Around,
    pub(crate) views: Around,
}

impl Points {
    pub(crate) fn new(faults: &Faults) -> Self {
        Self {
            fill: faults.around("fill", "commit", "the first products are there"),
            create: faults.around("create", "commit", "a product is added"),
            replace: faults.around("replace", "commit", "a product is replaced"),
            delete: faults.around("delete", "commit", "a product is taken out"),
            views: faults.around("views", "commit", "views are published"),
        }
    }
}
