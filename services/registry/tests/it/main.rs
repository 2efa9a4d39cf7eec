//! The registry from outside: a real server on a port of its own, a fresh store, real tokens.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod city;
mod documents;
mod instances;
mod metrics;
mod traces;
mod world;

#[test]
fn the_interface_that_is_checked_in_is_the_one_that_runs() {
    testing::openapi::assert_current::<registry::Registry>(env!("CARGO_MANIFEST_DIR"));
}
