//! The repository as a whole: its borders, its metrics pages, and a city of real processes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod border;
mod deaths;
mod harness;
mod interop;
mod pages;
mod tour;
