#![allow(clippy::unwrap_used, clippy::expect_used)]

mod charging;
mod crashes;
mod events;
mod failing;
mod interface;
mod model;
mod points;
mod reconciling;
mod refunding;
mod replicas;
mod till;
mod traces;
