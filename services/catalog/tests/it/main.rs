#![allow(clippy::unwrap_used, clippy::expect_used)]

mod browsing;
mod editing;
mod faults;
mod interface;
mod outbox;
mod prices;
mod publishing;
mod replicas;
mod shop;
mod stock;
mod traces;
