//! Faults on the admin listener: what may be armed, what is, and by whom: the operator alone.

use std::time::Duration;

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    routing::{get, post, put},
};
use faults::{Action, ArmedState, Fault, Faults, Injected, PointState, Refused, TTL_MAX};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    AuthKeys, Problem,
    auth::Operator,
    extract::{Json, Path},
};

/// Larger than any fault that can be written down.
const MAX_BODY_BYTES: usize = 4_096;

pub(super) fn router<S>(faults: Faults, keys: AuthKeys) -> Router<S> {
    Router::new()
        .route("/faults", get(list_faults))
        .route("/faults/{point}", put(arm_fault).delete(disarm_fault))
        .route("/faults/{point}/renew", post(renew_fault))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(Extension(keys))
        .with_state(faults)
}

/// Every point of the process.
#[derive(Serialize, ToSchema)]
pub(super) struct FaultPoints {
    /// By name.
    points: Vec<FaultPoint>,
}

/// A place in the code where a fault may strike.
#[derive(Serialize, ToSchema)]
pub(super) struct FaultPoint {
    /// Its name within its service.
    #[schema(example = "order.before_commit")]
    name: String,
    /// What has and has not happened where it stands.
    about: String,
    /// How often it was passed since the process began, struck or not.
    hits: u64,
    /// How many of these passes a fault has struck.
    injected: u64,
    /// What is armed here.
    #[serde(skip_serializing_if = "Option::is_none")]
    armed: Option<ArmedFault>,
}

/// A fault that is armed.
#[derive(Serialize, ToSchema)]
struct ArmedFault {
    #[serde(flatten)]
    fault: FaultBody,
    /// How many times it has struck.
    injected: u64,
    /// How many times it may strike yet; absent: as often as the point is passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<u64>,
    /// It ends after so many milliseconds, unless it is renewed.
    ends_in_ms: u64,
}

/// What is to happen at a point, how often, and for how long.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FaultBody {
    action: FaultAction,
    /// For `latency`: the mean of the delay, 1 to 60000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 60_000)]
    delay_ms: Option<u64>,
    /// For `latency`: how far from the mean a delay may be, at most the mean. Default: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(maximum = 60_000)]
    jitter_ms: Option<u64>,
    /// For `error`: as if the other side had answered this, 400 to 599. Default: 503, unless `io`
    /// is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 400, maximum = 599)]
    status: Option<u16>,
    /// For `error`: as if there were no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    io: Option<FaultIo>,
    /// The share of passes that it strikes: above 0, at most 1. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1)]
    probability: Option<f64>,
    /// How many times it strikes at most. Default: for as long as it is armed; `stop` once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    count: Option<u64>,
    /// It ends so long after it was armed or last renewed, 1 to 60000.
    #[schema(minimum = 1, maximum = 60_000)]
    lease_ms: u64,
    /// It ends so long after it was armed, renewed or not, 1 to 600000. Default: 600000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 600_000)]
    ttl_ms: Option<u64>,
}

/// What strikes.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FaultAction {
    /// The process kills itself.
    Kill,
    /// The process stops itself, until it gets a SIGCONT or the lease ends.
    Stop,
    /// Going on takes longer.
    Latency,
    /// Going on fails.
    Error,
    /// Nothing goes on until the fault ends; then the connection is broken.
    Hang,
}

/// As if there were no answer.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum FaultIo {
    /// Nobody listens.
    Refused,
    /// The connection breaks.
    Reset,
}

impl FaultBody {
    fn fault(&self) -> Result<Fault, &'static str> {
        let latency = self.delay_ms.is_some() || self.jitter_ms.is_some();
        if latency && self.action != FaultAction::Latency {
            return Err("`delay_ms` and `jitter_ms` are for `latency` alone");
        }
        let error = self.status.is_some() || self.io.is_some();
        if error && self.action != FaultAction::Error {
            return Err("`status` and `io` are for `error` alone");
        }
        let action = match self.action {
            FaultAction::Kill => Action::Kill,
            FaultAction::Stop => Action::Stop,
            FaultAction::Hang => Action::Hang,
            FaultAction::Latency => Action::Latency {
                delay: Duration::from_millis(self.delay_ms.ok_or("`latency` needs `delay_ms`")?),
                jitter: Duration::from_millis(self.jitter_ms.unwrap_or(0)),
            },
            FaultAction::Error => Action::Error(match (self.status, self.io) {
                (Some(_), Some(_)) => return Err("either `status` or `io`"),
                (None, None) => Injected::Status(StatusCode::SERVICE_UNAVAILABLE),
                (None, Some(FaultIo::Refused)) => Injected::Refused,
                (None, Some(FaultIo::Reset)) => Injected::Reset,
                (Some(status), None) => {
                    let status = StatusCode::from_u16(status).map_err(|_| "no such `status`")?;
                    Injected::Status(status)
                }
            }),
        };
        Ok(Fault {
            action,
            probability: self.probability.unwrap_or(1.0),
            count: self.count,
            lease: Duration::from_millis(self.lease_ms),
            ttl: self.ttl_ms.map_or(TTL_MAX, Duration::from_millis),
        })
    }

    fn of(fault: &Fault) -> Self {
        let mut body = Self {
            action: FaultAction::Kill,
            delay_ms: None,
            jitter_ms: None,
            status: None,
            io: None,
            probability: Some(fault.probability),
            count: fault.count,
            lease_ms: millis(fault.lease),
            ttl_ms: Some(millis(fault.ttl)),
        };
        body.action = match fault.action {
            Action::Kill => FaultAction::Kill,
            Action::Stop => FaultAction::Stop,
            Action::Hang => FaultAction::Hang,
            Action::Latency { delay, jitter } => {
                body.delay_ms = Some(millis(delay));
                body.jitter_ms = Some(millis(jitter));
                FaultAction::Latency
            }
            Action::Error(injected) => {
                match injected {
                    Injected::Status(status) => body.status = Some(status.as_u16()),
                    Injected::Refused => body.io = Some(FaultIo::Refused),
                    Injected::Reset => body.io = Some(FaultIo::Reset),
                }
                FaultAction::Error
            }
        };
        body
    }
}

impl From<PointState> for FaultPoint {
    fn from(state: PointState) -> Self {
        let armed = state.armed.map(|armed: ArmedState| ArmedFault {
            fault: FaultBody::of(&armed.fault),
            injected: armed.injected,
            left: armed.left,
            ends_in_ms: millis(armed.ends_in),
        });
        Self {
            name: state.name,
            about: state.about,
            hits: state.hits,
            injected: state.injected,
            armed,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let (status, code, title) = match refused {
            Refused::Disabled => (
                StatusCode::FORBIDDEN,
                "faults_disabled",
                "The service was not started for faults",
            ),
            Refused::UnknownPoint => (
                StatusCode::NOT_FOUND,
                "unknown_point",
                "The service has no such point",
            ),
            Refused::NotArmed => (
                StatusCode::CONFLICT,
                "not_armed",
                "Nothing is armed here, or it has ended",
            ),
            Refused::TooMany => (
                StatusCode::CONFLICT,
                "too_many_faults",
                "As many faults are armed as may be at once",
            ),
            Refused::Invalid(what) => return invalid(what),
        };
        Self::new(status, code, title)
    }
}

fn invalid(what: &'static str) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "invalid_fault",
        "There is no such fault",
    )
    .detail(what)
}

/// What every one of these routes asks for, before it looks at anything else.
pub(super) struct Armoury(Faults);

impl axum::extract::FromRequestParts<Faults> for Armoury {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        faults: &Faults,
    ) -> Result<Self, Problem> {
        Operator::from_request_parts(parts, faults).await?;
        if faults.is_enabled() {
            Ok(Self(faults.clone()))
        } else {
            Err(Refused::Disabled.into())
        }
    }
}

/// The points where faults may strike, how often each was passed, and what is armed. Needs the
/// operator token, and the setting `faults_enabled`.
#[utoipa::path(get, path = "/faults", tag = "admin",
    security(("operator_token" = [])), responses(
    (status = 200, body = FaultPoints),
    (status = 401, description = "`missing_token`, `invalid_token`", body = ref("#/components/schemas/Problem")),
    (status = 403, description = "`faults_disabled`", body = ref("#/components/schemas/Problem")),
))]
pub(super) async fn list_faults(Armoury(faults): Armoury) -> Json<FaultPoints> {
    let points = faults.points().into_iter().map(FaultPoint::from);
    Json(FaultPoints {
        points: points.collect(),
    })
}

/// Arms a fault at a point, instead of any other that is armed there. It ends with its lease.
#[utoipa::path(put, path = "/faults/{point}", tag = "admin",
    security(("operator_token" = [])),
    params(("point" = String, Path, description = "its name")),
    request_body = FaultBody,
    responses(
        (status = 200, description = "armed", body = FaultPoint),
        (status = 400, description = "`invalid_json`", body = ref("#/components/schemas/Problem")),
        (status = 401, description = "`missing_token`, `invalid_token`",
            body = ref("#/components/schemas/Problem")),
        (status = 403, description = "`faults_disabled`", body = ref("#/components/schemas/Problem")),
        (status = 404, description = "`unknown_point`", body = ref("#/components/schemas/Problem")),
        (status = 409, description = "`too_many_faults`", body = ref("#/components/schemas/Problem")),
        (status = 422, description = "`invalid_fields`, `invalid_fault`",
            body = ref("#/components/schemas/Problem")),
    ))]
pub(super) async fn arm_fault(
    Armoury(faults): Armoury,
    Path(point): Path<String>,
    Json(body): Json<FaultBody>,
) -> Result<Json<FaultPoint>, Problem> {
    let fault = body.fault().map_err(invalid)?;
    Ok(Json(faults.arm(&point, fault)?.into()))
}

/// Begins the lease of what is armed at a point anew; its time to live goes on.
#[utoipa::path(post, path = "/faults/{point}/renew", tag = "admin",
    security(("operator_token" = [])),
    params(("point" = String, Path, description = "its name")),
    responses(
        (status = 200, description = "renewed", body = FaultPoint),
        (status = 401, description = "`missing_token`, `invalid_token`",
            body = ref("#/components/schemas/Problem")),
        (status = 403, description = "`faults_disabled`", body = ref("#/components/schemas/Problem")),
        (status = 404, description = "`unknown_point`", body = ref("#/components/schemas/Problem")),
        (status = 409, description = "`not_armed`", body = ref("#/components/schemas/Problem")),
    ))]
pub(super) async fn renew_fault(
    Armoury(faults): Armoury,
    Path(point): Path<String>,
) -> Result<Json<FaultPoint>, Problem> {
    Ok(Json(faults.renew(&point)?.into()))
}

/// Ends what is armed at a point, if anything is; whoever waits there goes on.
#[utoipa::path(delete, path = "/faults/{point}", tag = "admin",
    security(("operator_token" = [])),
    params(("point" = String, Path, description = "its name")),
    responses(
        (status = 204, description = "nothing is armed there"),
        (status = 401, description = "`missing_token`, `invalid_token`",
            body = ref("#/components/schemas/Problem")),
        (status = 403, description = "`faults_disabled`", body = ref("#/components/schemas/Problem")),
        (status = 404, description = "`unknown_point`", body = ref("#/components/schemas/Problem")),
    ))]
pub(super) async fn disarm_fault(
    Armoury(faults): Armoury,
    Path(point): Path<String>,
) -> Result<StatusCode, Problem> {
    faults.disarm(&point)?;
    Ok(StatusCode::NO_CONTENT)
}
