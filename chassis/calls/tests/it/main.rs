//! Calls over real sockets, to peers that behave badly.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod amplification;
mod caller;
mod injected;
mod outside;
mod peer;
mod sockets;
