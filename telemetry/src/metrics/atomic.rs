//! The atomics of the metric cells, named once so that the model test can put loom's in
//! their place.

pub(crate) use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
