//! The city's registry: who is where, under leases, and central configuration, in versions.
//!
//! It tells; it never asks. No instance is probed, no service is called: an instance that renews
//! its lease is there, and one that is silent has lapsed. It decides nothing about requests, and
//! the city goes on without it on what everyone last heard.

mod directory;
mod documents;
mod domain;
mod http;
mod metrics;
mod service;
mod store;

pub use service::{Registry, Settings};
