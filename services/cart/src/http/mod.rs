//! Routes and wire types.

mod inner;
mod member;
mod problems;

use app::Live;
use axum::Router;
use axum::routing::{get, put};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::Settings;
use crate::domain::Cart;
use crate::store::Store;

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct Desk {
    pub store: Store,
    pub settings: Live<Settings>,
}

pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/api/cart", get(member::show).delete(member::clear))
        .route(
            "/api/cart/items/{product_id}",
            put(member::put).delete(member::remove),
        )
        .route(
            "/inner/v1/carts/{member_id}",
            get(inner::show).delete(inner::empty),
        )
        .with_state(desk)
}

/// What a member has put aside.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cart)]
pub(crate) struct CartView {
    /// In the order in which the products first came in.
    #[schema(max_items = 50)]
    items: Vec<Item>,
    /// Grows with each change, emptying included, and never comes again.
    version: u64,
}

/// One product in the cart.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Item {
    /// Id of the product.
    product_id: Uuid,
    /// How many of it.
    #[schema(minimum = 1, maximum = 99)]
    quantity: u8,
}

impl From<Cart> for CartView {
    fn from(cart: Cart) -> Self {
        let lines = cart.lines().iter();
        Self {
            items: lines
                .map(|line| Item {
                    product_id: line.product.0,
                    quantity: line.quantity.count(),
                })
                .collect(),
            version: cart.version(),
        }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(description = "What members put aside to buy."),
    paths(
        member::show,
        member::put,
        member::remove,
        member::clear,
        inner::show,
        inner::empty
    )
)]
pub(crate) struct Api;
