//! What the chassis promises of every service, seen from outside on the smallest one.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod admin;
mod callers;
mod detached;
mod drain;
mod example;
mod faults;
mod feed;
mod gate;
mod problems;
mod registry;
mod relay;
mod start;
mod steering;
mod traces;
