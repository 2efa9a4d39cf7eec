use app::Timestamp;
use app::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Item;

/// Something that happened to an order. The order is what its events say, in their sequence.
///
/// Stored as JSON and shown as it is stored: a field is only ever added, with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Event {
    /// The member ordered what was in the cart, at the prices of that moment.
    Placed {
        member_id: String,
        items: Vec<Item>,
        total: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// The cart that was ordered: only this version of it is emptied.
        cart_version: u64,
    },
    /// Every item is held for the order.
    Reserved,
    /// Not every item could be held.
    ReservationRefused,
    /// The money was taken.
    Charged {
        /// What the bank calls the charge.
        reference: String,
    },
    /// The bank declined.
    ChargeDeclined,
    /// The items are sold: the order stands.
    Confirmed,
    /// The order cannot stand; what was done for it is being undone.
    Compensating { reason: Reason },
    /// No money of the order's is with the shop, and none will come.
    Refunded { outcome: Refunded },
    /// No item is held for the order, and none will be.
    Released,
    /// The order is over.
    Cancelled { reason: Reason },
    /// What was ordered has left.
    Shipped { shipment_id: Uuid },
    /// What was ordered has arrived.
    Delivered { shipment_id: Uuid },
}

impl Event {
    /// Whether the saga ends with it; only the shipment moves after that.
    pub(crate) fn is_last(&self) -> bool {
        matches!(self, Self::Confirmed | Self::Cancelled { .. })
    }
}

/// Why an order was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    /// Not every item could be held.
    OutOfStock,
    /// The bank declined the charge.
    PaymentDeclined,
    /// The items were not held any more when the money was taken.
    ReservationExpired,
    /// A step did not come to an end in time.
    GaveUp,
}

impl Reason {
    pub(crate) const ALL: [Self; 4] = [
        Self::OutOfStock,
        Self::PaymentDeclined,
        Self::ReservationExpired,
        Self::GaveUp,
    ];

    /// The word for it, on the wire and in metrics.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::OutOfStock => "out_of_stock",
            Self::PaymentDeclined => "payment_declined",
            Self::ReservationExpired => "reservation_expired",
            Self::GaveUp => "gave_up",
        }
    }
}

/// How a charge was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Refunded {
    /// The money was taken and went back.
    Refunded,
    /// It was not taken, and cannot be any more.
    Voided,
}

/// An event in its place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Recorded {
    /// Counts from 1, without gaps.
    pub seq: i64,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    #[serde(flatten)]
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use super::{Event, Reason, Uuid};

    #[test]
    fn stored_events_keep_their_form() {
        for (json, event) in [
            (r#"{"type":"reserved"}"#, Event::Reserved),
            (
                r#"{"type":"charged","reference":"c-1"}"#,
                Event::Charged {
                    reference: "c-1".to_owned(),
                },
            ),
            (
                r#"{"type":"cancelled","reason":"gave_up"}"#,
                Event::Cancelled {
                    reason: Reason::GaveUp,
                },
            ),
            (
                r#"{"type":"shipped","shipment_id":"00000000-0000-0000-0000-000000000000"}"#,
                Event::Shipped {
                    shipment_id: Uuid::nil(),
                },
            ),
        ] {
            assert_eq!(serde_json::from_str::<Event>(json).unwrap(), event);
            assert_eq!(serde_json::to_string(&event).unwrap(), json);
        }
    }

    #[test]
    fn a_reason_has_one_word() {
        for reason in Reason::ALL {
            let json = serde_json::to_value(reason).unwrap();
            assert_eq!(json, reason.label());
        }
    }
}
