//! The gateway from outside: real sockets in front, small real services behind, and a registry
//! that the test holds in its hand.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod behind;
mod binary;
mod fallback;
mod forwarding;
mod hostile;
mod lifecycle;
mod live;
mod pages;
mod rates;
mod raw;
mod real;
mod retries;
mod tokens;
mod town;
mod traces;

#[test]
fn the_interface_is_the_one_checked_in() {
    testing::openapi::assert_current::<gateway::Gateway>(env!("CARGO_MANIFEST_DIR"));
}
