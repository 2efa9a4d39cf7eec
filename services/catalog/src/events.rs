//! What is told to others, and what is made of what inventory tells.

use events::{Body, Event, Failure, Handler};
use serde::{Deserialize, Serialize};
use stores::sql::Transaction;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::{Store, StoreFailure};

/// A product was added, edited, sold out, restocked or taken out. The first products of an empty
/// store are not told of: nobody can have known the store without them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProductChanged {
    /// UUIDv7.
    pub product_id: Uuid,
    /// Number of the change; of two changes the later has the greater one.
    pub revision: i64,
    /// Whether it is sold no more. It never comes back.
    pub deleted: bool,
}

impl Body for ProductChanged {
    const TYPE: &'static str = "catalog.ProductChanged.v1";
}

/// A member looked at a product. Best effort: some looks are not told of.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProductViewed {
    /// UUIDv7.
    pub product_id: Uuid,
    /// Id of the member.
    pub viewer: String,
}

impl Body for ProductViewed {
    const TYPE: &'static str = "catalog.ProductViewed.v1";
}

/// What is needed of `inventory.StockChanged.v1`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct StockChanged {
    product_id: Uuid,
    on_hand: i64,
}

/// Keeps what is in stock. A change of it is a change of the product as shoppers see it: it is
/// published, and by that each replica's index learns of it.
pub(crate) struct FromInventory(pub(crate) Store);

const STOCK_CHANGED: &str = "inventory.StockChanged.v1";

impl Handler for FromInventory {
    const TYPES: &'static [&'static str] = &[STOCK_CHANGED];

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        let stock: StockChanged = event.data()?;
        let in_stock = stock.on_hand > 0;
        Ok(self.0.set_in_stock(tx, stock.product_id, in_stock).await?)
    }

    /// What is not told of again counts as in stock.
    async fn reset(&self, tx: &mut Transaction) -> Result<(), Failure> {
        for product in self.0.sold_out(tx).await? {
            self.0.set_in_stock(tx, product, true).await?;
        }
        Ok(())
    }
}

/// Whatever a row or this code does wrong is not the event's fault.
impl From<StoreFailure> for Failure {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::Store(error) => error.into(),
            other => Self::Later(app::with_causes(&other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use events::schema::{needed, promised};

    use super::*;

    const HERE: &str = env!("CARGO_MANIFEST_DIR");

    #[test]
    fn what_is_published_is_what_was_promised() {
        promised::<ProductChanged>(HERE).unwrap();
        promised::<ProductViewed>(HERE).unwrap();
    }

    #[test]
    fn what_is_needed_is_what_was_checked_in() {
        needed::<StockChanged>(HERE, STOCK_CHANGED).unwrap();
    }
}
