//! What orders tells the city, and what shipping tells orders. Wire types: a field is only ever
//! added.

use app::money::Money;
use events::{Body, Event, Failure, Handler};
use serde::{Deserialize, Serialize};
use stores::sql::Transaction;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{Item, Order, Parcel, Reason};
use crate::store::Store;

/// Who reads what this service publishes.
pub(crate) const READERS: &[&str] = &["notifications", "recommendations", "shipping"];

/// An order stands: it is paid, and its items are sold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderConfirmed<'a> {
    order_id: Uuid,
    member_id: &'a str,
    items: &'a [Item],
    total: Money,
}

impl Body for OrderConfirmed<'_> {
    const TYPE: &'static str = "orders.OrderConfirmed.v1";
}

/// An order is over: nothing is held for it, and no money of it is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderCancelled<'a> {
    order_id: Uuid,
    member_id: &'a str,
    reason: Reason,
    total: Money,
}

impl Body for OrderCancelled<'_> {
    const TYPE: &'static str = "orders.OrderCancelled.v1";
}

impl<'a> OrderConfirmed<'a> {
    pub(crate) fn of(order: &'a Order) -> Self {
        Self {
            order_id: order.id,
            member_id: &order.member_id,
            items: &order.items,
            total: order.total,
        }
    }
}

impl<'a> OrderCancelled<'a> {
    pub(crate) fn of(order: &'a Order, reason: Reason) -> Self {
        Self {
            order_id: order.id,
            member_id: &order.member_id,
            reason,
            total: order.total,
        }
    }
}

/// What of a shipment's move is in the order's log: `ShipmentDispatched` and `ShipmentDelivered`
/// say the same of different moves.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Moved {
    pub shipment_id: Uuid,
    pub order_id: Uuid,
}

/// What shipping says.
pub(crate) struct Shipping(pub Store);

const DISPATCHED: &str = "shipping.ShipmentDispatched.v1";
const DELIVERED: &str = "shipping.ShipmentDelivered.v1";

impl Handler for Shipping {
    const TYPES: &'static [&'static str] = &[DISPATCHED, DELIVERED];

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        let Moved {
            shipment_id,
            order_id,
        } = event.data()?;
        let parcel = match &*event.kind {
            DELIVERED => Parcel::Delivered,
            _ => Parcel::Dispatched,
        };
        let log = self.0.log_within(tx, order_id).await?;
        let order = Order::of(order_id, &log);
        let order = order.ok_or_else(|| Failure::Event("a parcel of no order".to_owned()))?;
        let news = parcel.event(shipment_id, &order);
        let news = news.map_err(|error| Failure::Event(error.to_string()))?;
        if let Some(news) = news {
            self.0.follow(tx, order_id, &log, news).await?;
        }
        Ok(())
    }

    /// What it did is keyed by what it was told of: to hear all of it again does nothing twice.
    async fn reset(&self, _: &mut Transaction) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::schema;

    use super::{DELIVERED, DISPATCHED, Moved, OrderCancelled, OrderConfirmed};

    const HERE: &str = env!("CARGO_MANIFEST_DIR");

    #[test]
    fn what_is_published_is_what_was_promised() {
        schema::promised::<OrderConfirmed<'_>>(HERE).unwrap();
        schema::promised::<OrderCancelled<'_>>(HERE).unwrap();
    }

    #[test]
    fn what_is_read_is_what_was_asked_for() {
        schema::needed::<Moved>(HERE, DISPATCHED).unwrap();
        schema::needed::<Moved>(HERE, DELIVERED).unwrap();
    }
}
