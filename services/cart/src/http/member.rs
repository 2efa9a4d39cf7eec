//! A member's own cart. Whose it is says the token, and nothing else.

use app::auth::{Member, forbidden};
use app::extract::{Json, Path};
use app::{Problem, Timestamp, detached};
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::problems::invalid_quantity;
use super::{CartView, Desk};
use crate::domain::{Line, MemberId, ProductId, Quantity};

/// How many of a product the cart is to hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Whatever it held before.
    #[schema(minimum = 1, maximum = 99)]
    quantity: i64,
}

/// The cart
#[utoipa::path(get, path = "/api/cart", tag = "cart", security(("member_token" = [])), responses(
    (status = 200, description = "The cart; an empty one if there is none", body = CartView),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: the token is no member's",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn show(
    State(desk): State<Desk>,
    caller: Member,
) -> Result<Json<CartView>, Problem> {
    let member = member(&caller)?;
    desk.cart(member).await.map(Json)
}

/// Put a product in
///
/// Also changes how many of it there are. Whether the product is sold is not asked here, but when
/// it is ordered.
#[utoipa::path(put, path = "/api/cart/items/{product_id}", tag = "cart", request_body = Wanted,
    security(("member_token" = [])),
    params(("product_id" = Uuid, Path, description = "Id of the product")), responses(
    (status = 200, description = "The cart with so many of it", body = CartView),
    (status = 400, description = "`invalid_path`, `invalid_json`", content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: the token is no member's",
        content_type = "application/problem+json"),
    (status = 422, description = "`cart_full`, `invalid_quantity`, `invalid_fields`",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn put(
    State(desk): State<Desk>,
    caller: Member,
    Path(product_id): Path<Uuid>,
    Json(wanted): Json<Wanted>,
) -> Result<Json<CartView>, Problem> {
    let member = member(&caller)?;
    let line = Line {
        product: ProductId(product_id),
        quantity: Quantity::new(wanted.quantity).ok_or_else(invalid_quantity)?,
    };
    let put = async move { desk.store.put(member, line, Timestamp::now()).await };
    let cart = detached(put).await?;
    Ok(Json(cart.into()))
}

/// Take a product out
///
/// It need not be there.
#[utoipa::path(delete, path = "/api/cart/items/{product_id}", tag = "cart",
    security(("member_token" = [])),
    params(("product_id" = Uuid, Path, description = "Id of the product")), responses(
    (status = 200, description = "The cart without it", body = CartView),
    (status = 400, description = "`invalid_path`", content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: the token is no member's",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn remove(
    State(desk): State<Desk>,
    caller: Member,
    Path(product_id): Path<Uuid>,
) -> Result<Json<CartView>, Problem> {
    let member = member(&caller)?;
    let product = ProductId(product_id);
    let remove = async move { desk.store.remove(member, product, Timestamp::now()).await };
    let cart = detached(remove).await?;
    Ok(Json(cart.into()))
}

/// Empty the cart
#[utoipa::path(delete, path = "/api/cart", tag = "cart", security(("member_token" = [])), responses(
    (status = 204, description = "Nothing is in it"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: the token is no member's",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn clear(State(desk): State<Desk>, caller: Member) -> Result<StatusCode, Problem> {
    let member = member(&caller)?;
    let clear = async move { desk.store.clear(member, Timestamp::now()).await };
    detached(clear).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn member(caller: &Member) -> Result<MemberId, Problem> {
    let id = Uuid::try_parse(&caller.0.sub);
    let id = id.map_err(|_| forbidden("the token names no member"))?;
    Ok(MemberId(id))
}
