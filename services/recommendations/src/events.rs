//! What is made of the events of others.

use app::Live;
use events::{Event, Failure, Handler};
use serde::Deserialize;
use stores::sql::Transaction;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Settings;
use crate::domain::{Tie, distinct, paired};
use crate::store::Store;

const ORDER_CONFIRMED: &str = "orders.OrderConfirmed.v1";
const PRODUCT_VIEWED: &str = "catalog.ProductViewed.v1";
const PRODUCT_CHANGED: &str = "catalog.ProductChanged.v1";

/// What is needed of `orders.OrderConfirmed.v1`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct OrderConfirmed {
    items: Vec<Item>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Item {
    product_id: Uuid,
}

/// What is needed of `catalog.ProductViewed.v1`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProductViewed {
    product_id: Uuid,
    viewer: String,
}

/// What is needed of `catalog.ProductChanged.v1`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProductChanged {
    product_id: Uuid,
    deleted: bool,
}

/// Counts what is bought.
pub(crate) struct FromOrders {
    pub(crate) store: Store,
    pub(crate) settings: Live<Settings>,
}

impl Handler for FromOrders {
    const TYPES: &'static [&'static str] = &[ORDER_CONFIRMED];

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        let order: OrderConfirmed = event.data()?;
        let products = distinct(order.items.into_iter().map(|item| item.product_id));
        self.store.count_order(tx, &products).await?;
        let (paired, kept) = (paired(&products), self.settings.load().pairs_kept);
        let tied = self
            .store
            .tie_all(tx, Tie::Bought, paired, event.position, kept);
        Ok(tied.await?)
    }

    async fn reset(&self, tx: &mut Transaction) -> Result<(), Failure> {
        Ok(self.store.forget_orders(tx).await?)
    }
}

/// Counts what is looked at, and lets go of what is sold no more.
pub(crate) struct FromCatalog {
    pub(crate) store: Store,
    pub(crate) settings: Live<Settings>,
}

impl Handler for FromCatalog {
    const TYPES: &'static [&'static str] = &[PRODUCT_VIEWED, PRODUCT_CHANGED];

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        if event.kind == PRODUCT_VIEWED {
            return self.viewed(event, tx).await;
        }
        let changed: ProductChanged = event.data()?;
        if changed.deleted {
            self.store.drop_product(tx, changed.product_id).await?;
        }
        Ok(())
    }

    /// What is known to be gone stays so: a product never comes back, and the feed may not reach
    /// back to its end any more.
    async fn reset(&self, tx: &mut Transaction) -> Result<(), Failure> {
        Ok(self.store.forget_views(tx).await?)
    }
}

impl FromCatalog {
    async fn viewed(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        let viewed: ProductViewed = event.data()?;
        let settings = self.settings.load();
        let mut window = self.store.window(tx, &viewed.viewer).await?;
        let mut products = window.look_at(viewed.product_id, settings.window);
        self.store.keep_window(tx, &viewed.viewer, &window).await?;
        products.insert(0, viewed.product_id);
        let (at, kept) = (event.position, settings.pairs_kept);
        let tied = self.store.tie_first(tx, Tie::Viewed, &products, at, kept);
        Ok(tied.await?)
    }
}

#[cfg(test)]
mod tests {
    use events::schema::needed;

    use super::*;

    #[test]
    fn what_is_needed_is_what_was_checked_in() {
        const HERE: &str = env!("CARGO_MANIFEST_DIR");
        needed::<OrderConfirmed>(HERE, ORDER_CONFIRMED).unwrap();
        needed::<ProductViewed>(HERE, PRODUCT_VIEWED).unwrap();
        needed::<ProductChanged>(HERE, PRODUCT_CHANGED).unwrap();
    }
}
