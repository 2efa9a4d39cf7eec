//! Jaeger's query API, version 1 (`/api/...`): what Grafana's Jaeger data source and Jaeger's
//! own page up to 2.14 speak.
//!
//! Behaviour is that of Jaeger 2.20, the last with the whole of this API. Differences: error
//! bodies are sent as JSON, and `start` and `end` never narrow a look-up by trace id.

mod answer;
mod convert;
mod duration;
mod model;
mod queries;
mod query;
mod routes;

pub(crate) use queries::Queries;
pub(crate) use query::Search;
pub(crate) use routes::{Api, router};

#[cfg(test)]
mod tests;
