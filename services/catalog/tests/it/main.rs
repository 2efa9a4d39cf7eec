#![allow(clippy::unwrap_used, clippy::expect_used)]

mod browsing;
mod editing;
mod interface;
mod replicas;
mod shop;
mod traces;
