#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bought;
mod bounds;
mod gone;
mod interface;
mod points;
mod rebuild;
mod shelf;
mod traces;
mod viewed;
