//! The service as its members, its operators and a mail server meet it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod city;
mod edges;
mod interface;
mod mail;
mod points;
mod server;
