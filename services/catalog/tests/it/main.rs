#![allow(clippy::unwrap_used, clippy::expect_used)]

mod browsing;
mod editing;
mod faults;
mod interface;
mod prices;
mod replicas;
mod shop;
mod traces;
