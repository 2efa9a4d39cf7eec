//! What goes together with what.

mod pairs;

pub(crate) use pairs::{Pairs, Ties};

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// An order that holds more tells little about any two of its products, and has pairs by the
/// square.
const PAIRED_MAX: usize = 20;

/// A product that goes together with another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Recommended {
    /// UUIDv7.
    pub product_id: Uuid,
    /// How often the two came together, as far as it is remembered.
    #[schema(minimum = 1)]
    pub count: i64,
}

/// How often a product was bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Bought {
    /// UUIDv7.
    pub product_id: Uuid,
    /// In how many confirmed orders it was.
    #[schema(minimum = 1)]
    pub orders: i64,
}

/// What ties two products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tie {
    /// They were in one order.
    Bought,
    /// They were looked at by one viewer, one soon after the other.
    Viewed,
}

impl Tie {
    pub(crate) const ALL: [Self; 2] = [Self::Bought, Self::Viewed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bought => "bought",
            Self::Viewed => "viewed",
        }
    }
}

/// An order's products, each once, in the order's own order.
pub(crate) fn distinct(products: impl IntoIterator<Item = Uuid>) -> Vec<Uuid> {
    let mut seen = HashSet::new();
    let products = products.into_iter();
    products.filter(|product| seen.insert(*product)).collect()
}

/// Those of an order's products that are paired with each other.
pub(crate) fn paired(products: &[Uuid]) -> &[Uuid] {
    &products[..products.len().min(PAIRED_MAX)]
}

/// In how many orders products were.
pub(crate) type Counts = BTreeMap<Uuid, i64>;

/// What a viewer looked at last: distinct products, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Window(pub(crate) Vec<Uuid>);

impl Window {
    /// Puts `product` in front and keeps `size` others; gives those that it is paired with.
    ///
    /// One that is in the window already has been paired with the others when it came, so it is
    /// paired with none: who reloads a page does not vote twice.
    pub(crate) fn look_at(&mut self, product: Uuid, size: usize) -> Vec<Uuid> {
        let known = self.0.iter().position(|other| *other == product);
        if let Some(place) = known {
            self.0.remove(place);
        }
        self.0.truncate(size);
        let others = match known {
            Some(_) => Vec::new(),
            None => self.0.clone(),
        };
        self.0.insert(0, product);
        self.0.truncate(size);
        others
    }
}

#[cfg(test)]
mod tests {
    use super::{PAIRED_MAX, Window, distinct, paired};
    use uuid::Uuid;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    #[test]
    fn an_order_is_read_as_a_set_of_bounded_size() {
        assert_eq!(distinct([3, 1, 3, 2, 1].map(id)), [3, 1, 2].map(id));
        let many: Vec<_> = (0..100).map(id).collect();
        assert_eq!(paired(&many), &many[..PAIRED_MAX]);
        assert_eq!(paired(&many[..2]), &many[..2]);
    }

    #[test]
    fn a_product_goes_together_with_those_looked_at_before() {
        let mut window = Window::default();
        for (product, others) in [
            (1, vec![]),
            (2, vec![1]),
            (3, vec![2, 1]),
            // A reload.
            (3, vec![]),
            // Back to an earlier one: it has been paired with both.
            (1, vec![]),
            (4, vec![1, 3, 2]),
            // Two has fallen out by now.
            (5, vec![4, 1, 3]),
            (2, vec![5, 4, 1]),
        ] {
            let others: Vec<_> = others.into_iter().map(id).collect();
            assert_eq!(window.look_at(id(product), 3), others, "{product}");
            assert!(window.0.len() <= 3);
        }
        // The setting was made smaller.
        assert_eq!(window.look_at(id(9), 1), [id(2)]);
        assert_eq!(window.0, [id(9)]);
    }
}
