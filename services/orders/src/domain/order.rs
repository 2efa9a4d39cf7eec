use app::Timestamp;
use app::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Event, Reason, Recorded};

/// A text in the languages of the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Localized {
    pub ko: String,
    pub en: String,
}

/// So many of one product, at the name and price that it had when it was ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Item {
    pub product_id: Uuid,
    pub name: Localized,
    #[schema(minimum = 1)]
    pub quantity: u32,
    /// Of one piece.
    pub price: Money,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It is on its way to one of the others.
    Pending,
    Confirmed,
    Cancelled,
    /// It was confirmed, and has left.
    Shipped,
    /// It was confirmed, and has arrived.
    Delivered,
}

impl Status {
    /// The word for it, on the wire.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
        }
    }

    /// Whether the saga has ended: the order stands, or it never will.
    pub(crate) fn is_settled(self) -> bool {
        self != Self::Pending
    }
}

/// An order, as its log tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Order {
    pub id: Uuid,
    pub status: Status,
    /// Why it was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    pub items: Vec<Item>,
    pub total: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    #[serde(skip)]
    pub member_id: String,
    #[serde(skip)]
    pub cart_version: u64,
}

impl Order {
    /// The fold over its log; `None` if that does not begin with [`Event::Placed`].
    pub(crate) fn of(id: Uuid, log: &[Recorded]) -> Option<Self> {
        let (first, rest) = log.split_first()?;
        let Event::Placed {
            member_id,
            items,
            total,
            note,
            cart_version,
        } = first.event.clone()
        else {
            return None;
        };
        let placed = Self {
            id,
            status: Status::Pending,
            reason: None,
            items,
            total,
            note,
            created_at: first.at,
            updated_at: first.at,
            member_id,
            cart_version,
        };
        Some(rest.iter().fold(placed, Self::after))
    }

    fn after(mut self, recorded: &Recorded) -> Self {
        self.updated_at = recorded.at;
        match recorded.event {
            Event::Confirmed => self.status = Status::Confirmed,
            Event::Shipped { .. } => self.status = Status::Shipped,
            Event::Delivered { .. } => self.status = Status::Delivered,
            Event::Cancelled { reason } => {
                self.status = Status::Cancelled;
                self.reason = Some(reason);
            }
            Event::Placed { .. }
            | Event::Reserved
            | Event::ReservationRefused
            | Event::Charged { .. }
            | Event::ChargeDeclined
            | Event::Compensating { .. }
            | Event::Refunded { .. }
            | Event::Released => {}
        }
        self
    }
}

/// Why what is in a cart cannot be ordered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unorderable {
    #[error("the cart is empty")]
    CartEmpty,
    #[error("no longer sold: {}", .0.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", "))]
    UnknownProduct(Vec<Uuid>),
    #[error("an order is paid in one currency")]
    MixedCurrencies,
    #[error("the total is more than an order can have")]
    TotalTooLarge,
}

/// What the items cost together.
pub(crate) fn total(items: &[Item]) -> Result<Money, Unorderable> {
    let currency = items.first().ok_or(Unorderable::CartEmpty)?.price.currency;
    let mut amount = 0_i64;
    for item in items {
        if item.price.currency != currency {
            return Err(Unorderable::MixedCurrencies);
        }
        amount = item
            .price
            .amount
            .checked_mul(item.quantity.into())
            .and_then(|line| amount.checked_add(line))
            .ok_or(Unorderable::TotalTooLarge)?;
    }
    Ok(Money { amount, currency })
}

#[cfg(test)]
mod tests {
    use app::money::Currency;

    use super::*;

    fn item(amount: i64, currency: Currency, quantity: u32) -> Item {
        Item {
            product_id: Uuid::nil(),
            name: Localized {
                ko: "컵".to_owned(),
                en: "Mug".to_owned(),
            },
            quantity,
            price: Money { amount, currency },
        }
    }

    #[test]
    fn a_total_is_exact_or_refused() {
        let (won, euro) = (Currency::Krw, Currency::Eur);
        let two = [item(12_900, won, 2), item(1_000, won, 3)];
        assert_eq!(total(&two).unwrap().amount, 28_800);
        assert_eq!(total(&[]), Err(Unorderable::CartEmpty));
        let mixed = [item(1, won, 1), item(1, euro, 1)];
        assert_eq!(total(&mixed), Err(Unorderable::MixedCurrencies));
        for large in [
            vec![item(i64::MAX, won, 2)],
            vec![item(i64::MAX, won, 1), item(1, won, 1)],
        ] {
            assert_eq!(total(&large), Err(Unorderable::TotalTooLarge));
        }
    }
}
