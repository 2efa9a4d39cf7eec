#![allow(clippy::unwrap_used, clippy::expect_used)]

mod adoption;
mod idempotency;
mod interface;
mod parcels;
mod peers;
mod placing;
mod points;
mod publishing;
mod reading;
mod shop;
mod steps;
mod traces;
