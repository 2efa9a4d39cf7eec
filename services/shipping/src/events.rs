//! What shipping is told by orders, and what it tells the city. Wire types: a field is only ever
//! added.

use app::Timestamp;
use events::{Body, Event, Failure, Handler};
use serde::{Deserialize, Serialize};
use stores::sql::Transaction;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::scheduler::Scheduler;
use crate::store::Due;

/// Who reads what this service publishes.
pub(crate) const READERS: &[&str] = &["notifications", "orders"];

/// What a confirmed order is to shipping.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct OrderConfirmed {
    pub order_id: Uuid,
    pub member_id: String,
}

/// A shipment has left.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShipmentDispatched {
    shipment_id: Uuid,
    order_id: Uuid,
    member_id: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl ShipmentDispatched {
    pub(crate) fn of(due: &Due, at: Timestamp) -> Self {
        Self {
            shipment_id: due.shipment,
            order_id: due.order,
            member_id: due.member.clone(),
            at,
        }
    }
}

impl Body for ShipmentDispatched {
    const TYPE: &'static str = "shipping.ShipmentDispatched.v1";
}

/// A shipment has arrived.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShipmentDelivered {
    shipment_id: Uuid,
    order_id: Uuid,
    member_id: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl ShipmentDelivered {
    pub(crate) fn of(due: &Due, at: Timestamp) -> Self {
        Self {
            shipment_id: due.shipment,
            order_id: due.order,
            member_id: due.member.clone(),
            at,
        }
    }
}

impl Body for ShipmentDelivered {
    const TYPE: &'static str = "shipping.ShipmentDelivered.v1";
}

/// What orders says.
pub(crate) struct Orders(pub Scheduler);

impl Handler for Orders {
    const TYPES: &'static [&'static str] = &["orders.OrderConfirmed.v1"];

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        self.0.prepare(&event.data()?, tx).await
    }

    /// What it did is keyed by what it was told of: to hear all of it again does nothing twice.
    async fn reset(&self, _: &mut Transaction) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::schema;

    use super::{OrderConfirmed, ShipmentDelivered, ShipmentDispatched};

    const HERE: &str = env!("CARGO_MANIFEST_DIR");

    #[test]
    fn what_is_published_is_what_was_promised() {
        schema::promised::<ShipmentDispatched>(HERE).unwrap();
        schema::promised::<ShipmentDelivered>(HERE).unwrap();
    }

    #[test]
    fn what_is_read_is_what_was_asked_for() {
        schema::needed::<OrderConfirmed>(HERE, "orders.OrderConfirmed.v1").unwrap();
    }
}
