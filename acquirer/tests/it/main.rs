#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bank;
mod book;
mod moods;
mod process;
