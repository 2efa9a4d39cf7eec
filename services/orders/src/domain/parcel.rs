//! What an order's log says of its parcel.

use uuid::Uuid;

use super::{Event, Order, Status};

/// How far the parcel of an order has come, as shipping tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parcel {
    Dispatched,
    Delivered,
}

/// Why an order has no parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a parcel of an order that is {}", .0.label())]
pub(crate) struct Unshippable(Status);

impl Parcel {
    /// What it adds to the order's log; nothing if that is known, or the parcel has come further.
    pub(crate) fn event(
        self,
        shipment_id: Uuid,
        order: &Order,
    ) -> Result<Option<Event>, Unshippable> {
        match (self, order.status) {
            (_, status @ (Status::Pending | Status::Cancelled)) => Err(Unshippable(status)),
            (_, Status::Delivered) | (Self::Dispatched, Status::Shipped) => Ok(None),
            (Self::Dispatched, Status::Confirmed) => Ok(Some(Event::Shipped { shipment_id })),
            // Also if the word of its leaving was lost: it has arrived all the same.
            (Self::Delivered, Status::Confirmed | Status::Shipped) => {
                Ok(Some(Event::Delivered { shipment_id }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Reason, Recorded};
    use super::*;

    fn order(rest: &[Event]) -> Order {
        let placed = Event::Placed {
            member_id: "mina".to_owned(),
            items: Vec::new(),
            total: app::money::Money {
                amount: 1,
                currency: app::money::Currency::Krw,
            },
            note: None,
            cart_version: 1,
        };
        let log = [&[placed], rest].concat().into_iter().zip(1..);
        let log: Vec<_> = log
            .map(|(event, seq)| Recorded {
                seq,
                at: app::Timestamp::from_micros(seq),
                event,
            })
            .collect();
        Order::of(Uuid::nil(), &log).unwrap()
    }

    #[test]
    fn a_parcel_only_comes_further_and_only_if_the_order_stands() {
        let shipment_id = Uuid::nil();
        let shipped = Event::Shipped { shipment_id };
        let delivered = Event::Delivered { shipment_id };
        let reason = Reason::GaveUp;
        for (log, dispatched, arrived) in [
            (vec![], Err("pending"), Err("pending")),
            (
                vec![Event::Cancelled { reason }],
                Err("cancelled"),
                Err("cancelled"),
            ),
            (
                vec![Event::Confirmed],
                Ok(Some(&shipped)),
                Ok(Some(&delivered)),
            ),
            (
                vec![Event::Confirmed, shipped.clone()],
                Ok(None),
                Ok(Some(&delivered)),
            ),
            (
                vec![Event::Confirmed, shipped.clone(), delivered.clone()],
                Ok(None),
                Ok(None),
            ),
            (
                vec![Event::Confirmed, delivered.clone()],
                Ok(None),
                Ok(None),
            ),
        ] {
            let order = order(&log);
            for (parcel, expected) in [
                (Parcel::Dispatched, dispatched),
                (Parcel::Delivered, arrived),
            ] {
                let said = parcel.event(shipment_id, &order);
                match expected {
                    Ok(event) => assert_eq!(said.unwrap().as_ref(), event, "{log:?}"),
                    Err(status) => {
                        let said = said.unwrap_err().to_string();
                        assert!(said.ends_with(status), "{said} {log:?}");
                    }
                }
            }
        }
    }
}
