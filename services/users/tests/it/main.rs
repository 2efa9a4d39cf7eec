//! The service as its clients meet it: over HTTP, on a port of its own, with a fresh store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod admin;
mod client;
mod events;
mod keys;
mod names;
mod observed;
mod openapi;
mod profile;
mod registry;
mod replicas;
mod sessions;
mod sign_up;
mod traces;
