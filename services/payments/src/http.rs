//! Routes and wire types.

use std::sync::Arc;
use std::time::Duration;

use app::auth::ServiceCaller;
use app::extract::{Json, Path};
use app::money::Money;
use app::{Problem, detached};
use axum::Router;
use axum::extract::State as Shared;
use axum::routing::put;
use calls::deadline;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::charge::{Charge, State, Terms};
use crate::desk::Desk;
use crate::error::Failure;

/// How long a caller waits that does not say.
const PATIENCE: Duration = Duration::from_secs(2);
/// What an answer needs to get back to whoever waits for it.
const WAY_BACK: Duration = Duration::from_millis(150);

pub(crate) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/inner/v1/charges/{key}", put(charge).get(show))
        .route("/inner/v1/refunds/{key}", put(refund))
        .with_state(desk)
}

#[derive(OpenApi)]
#[openapi(
    info(description = "Charges and refunds, each at most once."),
    paths(charge, show, refund)
)]
pub(crate) struct Api;

/// What is to be charged.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChargeRequest {
    /// The order that is paid for.
    order_id: Uuid,
    /// Who pays.
    #[schema(min_length = 1, max_length = 255)]
    member_id: String,
    amount: Money,
}

impl ChargeRequest {
    fn terms(self) -> Result<Terms, Failure> {
        if self.amount.amount <= 0 {
            return Err(Failure::Invalid("`amount` must be more than zero"));
        }
        if !(1..=255).contains(&self.member_id.chars().count()) {
            return Err(Failure::Invalid(
                "`member_id` must have 1 to 255 characters",
            ));
        }
        Ok(Terms {
            order_id: self.order_id,
            member_id: self.member_id,
            amount: self.amount,
        })
    }
}

/// A charge.
#[derive(Serialize, ToSchema)]
struct ChargeAnswer {
    key: Uuid,
    state: State,
    /// Absent if the key was voided before anyone charged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<Money>,
    /// Under which the bank knows it.
    reference: Uuid,
}

impl From<Charge> for ChargeAnswer {
    fn from(charge: Charge) -> Self {
        Self {
            key: charge.key,
            state: charge.state,
            amount: charge.terms.map(|terms| terms.amount),
            reference: charge.key,
        }
    }
}

/// A refund.
#[derive(Serialize, ToSchema)]
struct RefundAnswer {
    key: Uuid,
    /// `refunded` or `voided`.
    state: State,
}

/// Charges once, however often it is asked for.
#[utoipa::path(put, path = "/inner/v1/charges/{key}", tag = "inner",
    params(("key" = Uuid, Path, description = "The order's id")),
    request_body = ChargeRequest,
    responses(
    (status = 200, description = "Captured, now or before", body = ChargeAnswer),
    (status = 400, description = "`invalid_path`, `invalid_json`",
        content_type = "application/problem+json"),
    (status = 401, description = "No valid service token",
        content_type = "application/problem+json"),
    (status = 402, description = "`payment_declined`", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", content_type = "application/problem+json"),
    (status = 409, description = "`charge_voided`: voided or refunded before",
        content_type = "application/problem+json"),
    (status = 422, description = "`charge_differs`, `invalid_charge`, `invalid_fields`",
        content_type = "application/problem+json"),
    (status = 503, description = "`payment_pending`: ask again; it goes on meanwhile",
        content_type = "application/problem+json"),
))]
async fn charge(
    caller: ServiceCaller,
    Shared(desk): Shared<Arc<Desk>>,
    Path(key): Path<Uuid>,
    Json(request): Json<ChargeRequest>,
) -> Result<Json<ChargeAnswer>, Problem> {
    caller.one_of(&["orders"])?;
    let terms = request.terms()?;
    let give_up = give_up();
    let charged = timeout_at(give_up, detached(desk.charge(key, terms, give_up)));
    let charged = charged.await.unwrap_or(Err(Failure::ChargePending.into()));
    Ok(Json(charged?.into()))
}

/// What became of a charge.
#[utoipa::path(get, path = "/inner/v1/charges/{key}", tag = "inner",
    params(("key" = Uuid, Path, description = "The order's id")),
    responses(
    (status = 200, description = "Where it stands", body = ChargeAnswer),
    (status = 400, description = "`invalid_path`", content_type = "application/problem+json"),
    (status = 401, description = "No valid service token",
        content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", content_type = "application/problem+json"),
    (status = 404, description = "`unknown_charge`", content_type = "application/problem+json"),
))]
async fn show(
    caller: ServiceCaller,
    Shared(desk): Shared<Arc<Desk>>,
    Path(key): Path<Uuid>,
) -> Result<Json<ChargeAnswer>, Problem> {
    caller.one_of(&["orders"])?;
    let charge = desk.store.find(key).await?;
    Ok(Json(charge.ok_or(Failure::UnknownCharge)?.into()))
}

/// Gives a charge back once; a key that was not charged never will be.
#[utoipa::path(put, path = "/inner/v1/refunds/{key}", tag = "inner",
    params(("key" = Uuid, Path, description = "The order's id")),
    responses(
    (status = 200, description = "Refunded or voided, now or before", body = RefundAnswer),
    (status = 400, description = "`invalid_path`", content_type = "application/problem+json"),
    (status = 401, description = "No valid service token",
        content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", content_type = "application/problem+json"),
    (status = 503, description = "`refund_pending`: ask again; it goes on meanwhile",
        content_type = "application/problem+json"),
))]
async fn refund(
    caller: ServiceCaller,
    Shared(desk): Shared<Arc<Desk>>,
    Path(key): Path<Uuid>,
) -> Result<Json<RefundAnswer>, Problem> {
    caller.one_of(&["orders"])?;
    let give_up = give_up();
    let refunded = timeout_at(give_up, detached(desk.refund(key, give_up)));
    let refunded = refunded.await.unwrap_or(Err(Failure::RefundPending.into()));
    let Charge { key, state, .. } = refunded?;
    Ok(Json(RefundAnswer { key, state }))
}

/// When the caller must have its answer.
fn give_up() -> Instant {
    let patience = Instant::now() + PATIENCE;
    let asked = deadline::current().map_or(patience, |caller| caller.instant().into());
    asked.min(patience) - WAY_BACK
}
