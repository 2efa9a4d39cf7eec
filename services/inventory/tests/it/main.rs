#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod admin;
mod buyers;
mod crashes;
mod events;
mod interface;
mod ledger;
mod life;
mod points;
mod traces;
mod warehouse;
