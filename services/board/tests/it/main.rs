//! The service as its clients meet it, with a users service that a test can upset.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod interface;
mod names;
mod points;
mod posts;
mod square;
mod traces;
mod users;
