//! What the metric cells share between threads, named once so that the model test can put
//! loom's in its place.

pub(crate) use crate::sync::lock;
pub(crate) use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
pub(crate) use std::sync::{Arc, Mutex};
