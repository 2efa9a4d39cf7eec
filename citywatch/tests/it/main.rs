//! The repository as a whole: its borders, its metrics pages, and a city of real processes.
// What a drill measured is printed: with --nocapture a person reads it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod aftermath;
mod border;
mod breaker;
mod buyer;
mod crash;
mod dashboards;
mod deaths;
mod deploy;
mod faults;
mod harness;
mod interop;
mod isolation;
mod pages;
mod patches;
mod poison;
mod prometheus;
mod rules;
mod runbooks;
mod shop;
mod stack;
mod strike;
mod tour;
mod upset;
mod visitors;
