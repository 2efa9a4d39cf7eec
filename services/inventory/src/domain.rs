//! Stock, reservations and the rules they obey.

use app::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Products that one order may reserve.
const ITEMS_MAX: usize = 100;
/// Units of one product that one order may reserve.
const QUANTITY_MAX: u32 = 100_000;
/// Units that can be on hand: more is a slip of the keyboard.
const ON_HAND_MAX: u32 = 1_000_000_000;

/// A rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("a reservation has 1 to {ITEMS_MAX} items")]
    Count,
    #[error("`quantity` must lie between 1 and {QUANTITY_MAX}")]
    Quantity,
    #[error("each product may stand in one item only")]
    Repeated,
    #[error("`on_hand` may be at most {ON_HAND_MAX}")]
    OnHand,
}

/// Units of one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    /// Id of the product.
    pub product_id: Uuid,
    /// How many.
    #[schema(minimum = 1, maximum = 100_000)]
    pub quantity: u32,
}

/// What one order reserves: each product once, by ascending id. Whoever takes stock in this order
/// never waits for one who waits for him.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
pub(crate) struct Items(Vec<Item>);

impl Items {
    /// No items: of a release that came before its reservation.
    pub(crate) const NONE: Self = Self(Vec::new());

    /// # Errors
    /// The rule that the items break.
    pub(crate) fn checked(mut items: Vec<Item>) -> Result<Self, Invalid> {
        if !(1..=ITEMS_MAX).contains(&items.len()) {
            return Err(Invalid::Count);
        }
        if !items
            .iter()
            .all(|item| (1..=QUANTITY_MAX).contains(&item.quantity))
        {
            return Err(Invalid::Quantity);
        }
        items.sort_unstable_by_key(|item| item.product_id);
        if items
            .windows(2)
            .any(|two| two[0].product_id == two[1].product_id)
        {
            return Err(Invalid::Repeated);
        }
        Ok(Self(items))
    }

    /// From JSON that a store kept.
    pub(crate) fn from_kept(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json).map(Self)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Item> {
        self.0.iter()
    }
}

/// How many units can be promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OnHand(u32);

impl OnHand {
    /// # Errors
    /// It is more than there can be.
    pub(crate) fn checked(units: u32) -> Result<Self, Invalid> {
        if units > ON_HAND_MAX {
            return Err(Invalid::OnHand);
        }
        Ok(Self(units))
    }

    pub(crate) fn units(self) -> i64 {
        self.0.into()
    }
}

/// Where a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// The units are kept for the order, until they expire.
    Held,
    /// The units are sold.
    Confirmed,
    /// The order gave them up, perhaps before it had them.
    Released,
    /// The order took too long.
    Expired,
}

impl State {
    pub(crate) const ALL: [Self; 4] = [Self::Held, Self::Confirmed, Self::Released, Self::Expired];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Confirmed => "confirmed",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What is held for an order, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Reservation {
    /// The order.
    pub order_id: Uuid,
    /// Where it stands.
    pub state: State,
    /// Units by product; empty if it was released before it was made.
    pub items: Items,
    /// When units that are held go on sale again; absent if there never were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

impl Reservation {
    /// Whether it is held for longer than it may be. It counts as expired from that moment on,
    /// whether or not anybody has swept.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        self.state == State::Held && self.expires_at.is_none_or(|at| at <= now)
    }
}

/// One product's units: `initial + adjusted = on_hand + held + sold`, always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Stock {
    /// Id of the product.
    pub product_id: Uuid,
    /// Units that there were at first.
    #[schema(minimum = 0)]
    pub initial: i64,
    /// Units that admins added since, less those that they took away.
    pub adjusted: i64,
    /// Units that can still be promised.
    #[schema(minimum = 0)]
    pub on_hand: i64,
    /// Units that are kept for orders not yet confirmed.
    #[schema(minimum = 0)]
    pub held: i64,
    /// Units of confirmed orders.
    #[schema(minimum = 0)]
    pub sold: i64,
}

impl Stock {
    /// A product that nobody has touched yet.
    pub(crate) fn untouched(product_id: Uuid, initial: i64) -> Self {
        Self {
            product_id,
            initial,
            adjusted: 0,
            on_hand: initial,
            held: 0,
            sold: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Invalid, Item, Items, OnHand, QUANTITY_MAX, State};

    fn item(product: u128, quantity: u32) -> Item {
        Item {
            product_id: Uuid::from_u128(product),
            quantity,
        }
    }

    #[test]
    fn items_are_the_same_in_any_order() {
        let one = Items::checked(vec![item(2, 1), item(1, 5)]).unwrap();
        let other = Items::checked(vec![item(1, 5), item(2, 1)]).unwrap();
        assert_eq!(one, other);
        let kept = serde_json::to_string(&one).unwrap();
        assert_eq!(Items::from_kept(&kept).unwrap(), one);
    }

    #[test]
    fn items_keep_the_rules() {
        for (items, rule) in [
            (vec![], Invalid::Count),
            ((0..101).map(|n| item(n, 1)).collect(), Invalid::Count),
            (vec![item(1, 0)], Invalid::Quantity),
            (vec![item(1, QUANTITY_MAX + 1)], Invalid::Quantity),
            (vec![item(1, 1), item(2, 1), item(1, 1)], Invalid::Repeated),
        ] {
            assert_eq!(Items::checked(items), Err(rule));
        }
        assert!(Items::checked(vec![item(1, QUANTITY_MAX)]).is_ok());
        assert_eq!(OnHand::checked(u32::MAX), Err(Invalid::OnHand));
        assert_eq!(OnHand::checked(0).unwrap().units(), 0);
    }

    #[test]
    fn a_state_is_read_by_the_name_it_is_written_by() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.name()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        assert_eq!(State::from_name("lost"), None);
    }
}
