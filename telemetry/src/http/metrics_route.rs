//! The metrics page as a route of axum.

use crate::Telemetry;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::routing::{MethodRouter, get};
use http::HeaderMap;

impl Telemetry {
    /// All metrics, as a route that answers `GET`: OpenMetrics with exemplars or Prometheus text,
    /// as `Accept` prefers. Put it on after [`server_layer`](Self::server_layer), so that scrapes
    /// are not counted among a service's requests.
    pub fn metrics_route<S>(&self) -> MethodRouter<S>
    where
        S: Clone + Send + Sync + 'static,
    {
        let telemetry = self.clone();
        get(move |headers: HeaderMap| async move {
            let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
            let page = telemetry.metrics_page(accept);
            ([(CONTENT_TYPE, page.content_type)], page.body)
        })
    }
}
