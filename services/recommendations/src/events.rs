//! What is made of the events of others.

use std::collections::BTreeSet;

use app::{Live, with_causes};
use events::{Event, Failure, Handler};
use serde::Deserialize;
use stores::sql::Transaction;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Settings;
use crate::domain::{Counts, Tie, Ties, distinct, paired};
use crate::store::{Store, StoreFailure};

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

/// A number or an id that cannot be read is the store's to answer for, not the event's.
impl From<StoreFailure> for Failure {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::Store(error) => error.into(),
            StoreFailure::Column(_) => Self::Later(with_causes(&failure)),
        }
    }
}

/// Counts what is bought.
pub(crate) struct FromOrders {
    pub(crate) store: Store,
    pub(crate) settings: Live<Settings>,
}

impl Handler for FromOrders {
    const TYPES: &'static [&'static str] = &[ORDER_CONFIRMED];
    const IN_BULK: bool = true;

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        self.handle_all(&[event], tx).await
    }

    async fn handle_all(&self, events: &[&Event], tx: &mut Transaction) -> Result<(), Failure> {
        let (mut counts, mut ties) = (Counts::new(), Ties::default());
        for event in events {
            let order: OrderConfirmed = event.data()?;
            let products = distinct(order.items.into_iter().map(|item| item.product_id));
            for product in &products {
                *counts.entry(*product).or_default() += 1;
            }
            ties.add_all(paired(&products), event.position);
        }
        let kept = self.settings.load().pairs_kept;
        let counted = self.store.count(tx, Tie::Bought, (&counts, &ties), kept);
        Ok(counted.await?)
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
    const IN_BULK: bool = true;

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        self.handle_all(&[event], tx).await
    }

    async fn handle_all(&self, events: &[&Event], tx: &mut Transaction) -> Result<(), Failure> {
        let (mut looks, mut ended) = (Vec::new(), Vec::new());
        for event in events {
            if event.kind == PRODUCT_VIEWED {
                looks.push((event.data()?, event.position));
                continue;
            }
            let changed: ProductChanged = event.data()?;
            if changed.deleted {
                ended.push(changed.product_id);
            }
        }
        self.looked(tx, &looks).await?;
        for product in ended {
            self.store.drop_product(tx, product).await?;
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
    /// Looks at products, each with its event's position.
    async fn looked(
        &self,
        tx: &mut Transaction,
        looks: &[(ProductViewed, i64)],
    ) -> Result<(), Failure> {
        let settings = self.settings.load();
        let viewers: BTreeSet<_> = looks.iter().map(|(look, _)| &*look.viewer).collect();
        let viewers: Vec<_> = viewers.into_iter().collect();
        let mut windows = self.store.windows(tx, &viewers).await?;
        let mut ties = Ties::default();
        for (look, position) in looks {
            let window = windows.entry(look.viewer.clone()).or_default();
            for other in window.look_at(look.product_id, settings.window) {
                ties.add(look.product_id, other, *position);
            }
        }
        self.store.keep_windows(tx, &windows).await?;
        let (no_orders, kept) = (Counts::new(), settings.pairs_kept);
        let counted = self.store.count(tx, Tie::Viewed, (&no_orders, &ties), kept);
        Ok(counted.await?)
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
