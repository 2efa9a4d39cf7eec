//! The admin listener: for supervisors, Prometheus and operators, never for shoppers.

mod faults;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::faults::Faults;
use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use telemetry::Telemetry;
use utoipa::{OpenApi, ToSchema};

use crate::{
    AuthKeys,
    parts::{Parts, Remark},
};

/// Longest time that one readiness check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

type Checks = Vec<(&'static str, Box<dyn Fn() -> CheckFuture + Send + Sync>)>;
type CheckFuture = std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Where the service is in its life; one phase alone can take requests.
#[derive(Clone, Copy)]
pub(crate) enum Phase {
    Starting,
    Serving,
    Draining,
}

pub(crate) struct Admin {
    telemetry: Telemetry,
    checks: Checks,
    remarks: Vec<(&'static str, Remark)>,
    phase: Mutex<Phase>,
    openapi: String,
    faults: Faults,
    keys: AuthKeys,
}

impl Admin {
    pub(crate) fn new(
        telemetry: Telemetry,
        parts: &mut Parts,
        openapi: String,
        faults: Faults,
        keys: AuthKeys,
    ) -> Arc<Self> {
        let checks = std::mem::take(&mut parts.ready)
            .into_iter()
            .map(|(name, check)| {
                let boxed: Box<dyn Fn() -> CheckFuture + Send + Sync> = Box::new(move || check());
                (name, boxed)
            })
            .collect();
        Arc::new(Self {
            telemetry,
            checks,
            remarks: std::mem::take(&mut parts.remarks),
            phase: Mutex::new(Phase::Starting),
            openapi,
            faults,
            keys,
        })
    }

    pub(crate) fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    fn phase(&self) -> Phase {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .route("/openapi.json", get(openapi))
            .merge(faults::router(self.faults.clone(), self.keys.clone()))
            .with_state(self)
    }
}

#[derive(OpenApi)]
#[openapi(paths(
    livez,
    readyz,
    metrics,
    openapi,
    faults::list_faults,
    faults::arm_fault,
    faults::renew_fault,
    faults::disarm_fault
))]
pub(crate) struct AdminApi;

/// Whether the service can take requests.
#[derive(Serialize, ToSchema)]
struct Readiness {
    ready: bool,
    /// Each condition, in order.
    checks: Vec<CheckOutcome>,
}

#[derive(Serialize, ToSchema)]
struct CheckOutcome {
    name: &'static str,
    ok: bool,
    /// What is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// The process runs. Touches nothing else, so that a slow dependency never gets it killed.
#[utoipa::path(get, path = "/livez", tag = "admin", responses((status = 200, body = str)))]
async fn livez() -> &'static str {
    "ok\n"
}

/// The service can take requests.
#[utoipa::path(get, path = "/readyz", tag = "admin", responses(
    (status = 200, description = "ready", body = Readiness),
    (status = 503, description = "not ready, or draining", body = Readiness),
))]
async fn readyz(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let mut checks = Vec::with_capacity(admin.checks.len() + 1);
    let hindrance = match admin.phase() {
        Phase::Starting => Some(("starting", "the registry has yet to say who is where")),
        Phase::Serving => None,
        Phase::Draining => Some(("draining", "the service is stopping")),
    };
    checks.extend(hindrance.map(|(name, detail)| CheckOutcome {
        name,
        ok: false,
        detail: Some(detail.to_owned()),
    }));
    // Side by side: however many of them hang, the answer comes within a second.
    let asked = admin.checks.iter().map(async |(name, check)| {
        let detail = match tokio::time::timeout(CHECK_TIMEOUT, check()).await {
            Ok(outcome) => outcome.err(),
            Err(_) => Some("no answer within a second".to_owned()),
        };
        CheckOutcome {
            name,
            ok: detail.is_none(),
            detail,
        }
    });
    checks.extend(futures_util::future::join_all(asked).await);
    let ready = checks.iter().all(|check| check.ok);
    let said = admin.remarks.iter().filter_map(|(name, remark)| {
        let detail = Some(remark()?);
        Some(CheckOutcome {
            name,
            ok: true,
            detail,
        })
    });
    checks.extend(said);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, axum::Json(Readiness { ready, checks }))
}

/// Metrics: OpenMetrics with exemplars or Prometheus text, by `Accept`.
#[utoipa::path(get, path = "/metrics", tag = "admin", responses((status = 200, body = str)))]
async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> impl IntoResponse {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    let page = admin.telemetry.metrics_page(accept);
    ([(header::CONTENT_TYPE, page.content_type)], page.body)
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "admin", responses((status = 200, body = Object)))]
async fn openapi(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    (
        [(header::CONTENT_TYPE, "application/json")],
        admin.openapi.clone(),
    )
}
