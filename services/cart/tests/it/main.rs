#![allow(clippy::unwrap_used, clippy::expect_used)]

mod basket;
mod durability;
mod inner;
mod instances;
mod interface;
mod kept;
mod shopping;
mod traces;
