use app::money::Money;
use axum::http::StatusCode;
use calls::{Calls, edges};
use serde::Deserialize;
use uuid::Uuid;

use super::Unsettled;
use crate::domain::Localized;

/// Name and price of a product that is sold.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Price {
    pub product_id: Uuid,
    pub name: Localized,
    pub price: Money,
}

#[derive(Deserialize)]
struct Prices {
    items: Vec<Price>,
}

#[derive(Clone)]
pub(crate) struct Client(calls::Client);

impl Client {
    pub(super) fn new(calls: &Calls) -> Self {
        Self(calls.to(&edges::ORDERS_CATALOG))
    }

    /// The prices of these products, at most 100; what is not sold is left out.
    pub(crate) async fn prices(&self, ids: &[Uuid]) -> Result<Vec<Price>, Unsettled> {
        let ids: Vec<_> = ids.iter().map(Uuid::to_string).collect();
        let call = self.0.get("/inner/v1/prices", "/inner/v1/prices");
        let answer = call.query(&[("ids", &ids.join(","))]).send().await?;
        match answer.status {
            StatusCode::OK => answer
                .json::<Prices>()
                .map(|prices| prices.items)
                .map_err(|_| Unsettled::form("catalog")),
            _ => Err(Unsettled::answer(&answer)),
        }
    }
}
