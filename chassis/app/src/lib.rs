//! What every service of the city is run by.
//!
//! A service is a value ([`Service`]): it turns its settings into a router and background
//! tasks. This crate does the rest, the same way for each: settings from their four sources,
//! telemetry, identity, discovery, two listeners (public and admin), problem answers, graceful
//! drain. It never opens a store and knows no service by name.

#![warn(missing_docs)]

// `settings!` writes paths through `app::`, and is used in this crate too.
#[allow(unused_extern_crates)]
extern crate self as app;

mod admin;
mod auth_keys;
mod backoff;
mod causes;
mod city;
mod detached;
mod injected;
mod oldest;
mod openapi;
mod panics;
mod parts;
mod problem;
mod public;
mod run;
mod timestamp;

pub mod auth;
pub mod extract;
pub mod money;
pub mod page;
pub mod settings;
pub mod trace;

pub use auth_keys::AuthKeys;
pub use backoff::pause;
pub use causes::with_causes;
pub use city::City;
pub use detached::detached;
pub use oldest::OldestAge;
pub use openapi::openapi;
pub use panics::caught;
pub use parts::{Parts, StartError};
pub use problem::{Problem, ProblemBody};
pub use run::{Options, Ready, ServeError, main, run, serve_on, serve_with};
pub use settings::{Common, Live};
pub use timestamp::Timestamp;

use std::future::Future;

#[doc(hidden)]
pub use {serde, serde_json};

/// One bounded context, as a value that can be started by its binary, by `citywatch serve` and
/// by a test alike.
pub trait Service: Sized + Send + 'static {
    /// The name by which others find it: lowercase, one word.
    const NAME: &'static str;
    /// Version of its crate.
    const VERSION: &'static str;
    /// Where it listens when nothing is set. Port 0: any free port, found through the registry.
    const LISTEN: &'static str = "127.0.0.1:0";
    /// Its own settings.
    type Settings: settings::Section;

    /// Its public interface; the admin interface is added by [`openapi`].
    fn openapi() -> utoipa::openapi::OpenApi;

    /// Opens what it needs and hands over what is to be run. It must not block on other
    /// services: they may start later than this one.
    fn start(city: City<Self::Settings>) -> impl Future<Output = Result<Parts, StartError>> + Send;
}
