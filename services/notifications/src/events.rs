//! The events that members are told of, one handler for each service that publishes them.
//!
//! Nothing is rebuilt from them: a notification that was sent cannot be taken back.

use app::money::Money;
use events::{Event, Failure, Handler};
use serde::Deserialize;
use stores::sql::Transaction;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{Kind, News};
use crate::store::{Member, Store};

const ORDER_CONFIRMED: &str = "orders.OrderConfirmed.v1";
const ORDER_CANCELLED: &str = "orders.OrderCancelled.v1";
const PAYMENT_REFUNDED: &str = "payments.PaymentRefunded.v1";
const SHIPMENT_DISPATCHED: &str = "shipping.ShipmentDispatched.v1";
const SHIPMENT_DELIVERED: &str = "shipping.ShipmentDelivered.v1";
const USER_REGISTERED: &str = "users.UserRegistered.v1";

/// What is read of an order that was confirmed.
#[derive(Deserialize, ToSchema)]
struct OrderConfirmed {
    order_id: Uuid,
    member_id: String,
    total: Money,
}

/// What is read of an order that was cancelled, and of a parcel's way.
#[derive(Deserialize, ToSchema)]
struct OfOrder {
    order_id: Uuid,
    member_id: String,
}

/// What is read of money that went back.
#[derive(Deserialize, ToSchema)]
struct PaymentRefunded {
    order_id: Uuid,
    member_id: String,
    amount: Money,
}

/// What is read of a member who signed up.
#[derive(Deserialize, ToSchema)]
struct UserRegistered {
    user_id: Uuid,
    name: String,
    email: String,
}

impl OfOrder {
    fn news(self, kind: Kind) -> News {
        News {
            kind,
            about: self.order_id,
            member_id: self.member_id,
            amount: None,
        }
    }
}

/// Events of orders.
pub(crate) struct OfOrders(pub(crate) Store);

impl Handler for OfOrders {
    const TYPES: &'static [&'static str] = &[ORDER_CONFIRMED, ORDER_CANCELLED];

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        let news = if event.kind == ORDER_CONFIRMED {
            let confirmed: OrderConfirmed = event.data()?;
            News {
                kind: Kind::OrderConfirmed,
                about: confirmed.order_id,
                member_id: confirmed.member_id,
                amount: Some(confirmed.total),
            }
        } else {
            event.data::<OfOrder>()?.news(Kind::OrderCancelled)
        };
        Ok(self.0.tell(tx, &news).await?)
    }

    /// What it did is keyed by what it was told of: to hear all of it again does nothing twice.
    async fn reset(&self, _: &mut Transaction) -> Result<(), Failure> {
        Ok(())
    }
}

/// Events of payments.
pub(crate) struct OfPayments(pub(crate) Store);

impl Handler for OfPayments {
    const TYPES: &'static [&'static str] = &[PAYMENT_REFUNDED];

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        let refunded: PaymentRefunded = event.data()?;
        let news = News {
            kind: Kind::PaymentRefunded,
            about: refunded.order_id,
            member_id: refunded.member_id,
            amount: Some(refunded.amount),
        };
        Ok(self.0.tell(tx, &news).await?)
    }

    /// What it did is keyed by what it was told of: to hear all of it again does nothing twice.
    async fn reset(&self, _: &mut Transaction) -> Result<(), Failure> {
        Ok(())
    }
}

/// Events of shipping.
pub(crate) struct OfShipping(pub(crate) Store);

impl Handler for OfShipping {
    const TYPES: &'static [&'static str] = &[SHIPMENT_DISPATCHED, SHIPMENT_DELIVERED];

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        let kind = match event.kind == SHIPMENT_DISPATCHED {
            true => Kind::ShipmentDispatched,
            false => Kind::ShipmentDelivered,
        };
        let news = event.data::<OfOrder>()?.news(kind);
        Ok(self.0.tell(tx, &news).await?)
    }

    /// What it did is keyed by what it was told of: to hear all of it again does nothing twice.
    async fn reset(&self, _: &mut Transaction) -> Result<(), Failure> {
        Ok(())
    }
}

/// Events of users.
pub(crate) struct OfUsers(pub(crate) Store);

impl Handler for OfUsers {
    const TYPES: &'static [&'static str] = &[USER_REGISTERED];

    async fn handle(&self, event: &Event, tx: &mut Transaction) -> Result<(), Failure> {
        let registered: UserRegistered = event.data()?;
        let member = Member {
            id: registered.user_id.to_string(),
            name: registered.name,
            email: registered.email,
        };
        self.0.know(tx, &member).await?;
        let news = News {
            kind: Kind::Welcome,
            about: registered.user_id,
            member_id: member.id,
            amount: None,
        };
        Ok(self.0.tell(tx, &news).await?)
    }

    /// What it did is keyed by what it was told of: to hear all of it again does nothing twice.
    async fn reset(&self, _: &mut Transaction) -> Result<(), Failure> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use events::schema::needed;

    use super::*;

    #[test]
    fn what_is_read_is_what_is_said_to_be_needed() {
        let folder = env!("CARGO_MANIFEST_DIR");
        needed::<OrderConfirmed>(folder, ORDER_CONFIRMED).unwrap();
        needed::<PaymentRefunded>(folder, PAYMENT_REFUNDED).unwrap();
        needed::<UserRegistered>(folder, USER_REGISTERED).unwrap();
        for kind in [ORDER_CANCELLED, SHIPMENT_DISPATCHED, SHIPMENT_DELIVERED] {
            needed::<OfOrder>(folder, kind).unwrap();
        }
    }
}
