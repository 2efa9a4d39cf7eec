#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod depot;
mod instances;
mod interface;
mod moving;
mod points;
mod traces;
