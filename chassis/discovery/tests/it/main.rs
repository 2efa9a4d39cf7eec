//! The client side against a registry that misbehaves on cue. How it goes with the real one is
//! tested where that one lives.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod documents;
mod fake;
mod lease;
mod log;
mod watch;
