//! What members see: each their own.

use app::Problem;
use app::auth::Member;
use app::extract::{Json, Path};
use axum::extract::State;
use uuid::Uuid;

use super::problems::unknown_shipment;
use crate::domain::Shipment;
use crate::store::Store;

/// The shipment of an order.
#[utoipa::path(get, path = "/api/shipments/{order_id}", tag = "shipments",
    params(("order_id" = Uuid, Path, description = "Id of the order")), responses(
    (status = 200, description = "The shipment", body = Shipment),
    (status = 400, description = "`invalid_path`", content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 404, description = "`unknown_shipment`: there is none, or not yet, or it is another \
        member's", content_type = "application/problem+json"),
))]
pub(super) async fn show(
    Member(member): Member,
    State(store): State<Store>,
    Path(order): Path<Uuid>,
) -> Result<Json<Shipment>, Problem> {
    let shipment = store.of_order(order).await?;
    // Of others' nobody learns that they exist.
    let own = shipment.filter(|shipment| shipment.member_id == member.sub);
    own.map(Json).ok_or_else(unknown_shipment)
}
