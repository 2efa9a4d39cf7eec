//! What the buffers are shared by; a module of its own so that the model can have loom's.

pub(super) use crate::sync::lock;
pub(super) use std::sync::atomic::{AtomicBool, Ordering};
pub(super) use std::sync::{Arc as Handle, Mutex};
