//! Carts and the rules they obey.

use std::fmt;

use uuid::Uuid;

/// Most products in a cart.
pub(crate) const LINES_MAX: usize = 50;

/// Most of one product in a cart.
pub(crate) const QUANTITY_MAX: u8 = 99;

/// Whose cart it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MemberId(pub Uuid);

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A product, by the catalog's id; whether it is sold only the catalog knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ProductId(pub Uuid);

/// How many of one product: 1 to 99.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quantity(u8);

impl Quantity {
    pub(crate) fn new(count: i64) -> Option<Self> {
        let count = u8::try_from(count).ok()?;
        (1..=QUANTITY_MAX).contains(&count).then_some(Self(count))
    }

    pub(crate) fn count(self) -> u8 {
        self.0
    }
}

/// One product in a cart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub product: ProductId,
    pub quantity: Quantity,
}

/// The cart holds as many products as it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cart holds at most {LINES_MAX} products")]
pub(crate) struct Full;

/// What a member has put aside. A version has one content only: it grows with each change, and
/// emptying is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cart {
    lines: Vec<Line>,
    version: u64,
}

/// Each change gives the next cart, or `None` where there is nothing to change.
impl Cart {
    /// An empty one.
    pub(crate) fn empty(version: u64) -> Self {
        let lines = Vec::new();
        Self { lines, version }
    }

    /// One with these lines, if they can be a cart's.
    pub(crate) fn restored(lines: Vec<Line>, version: u64) -> Option<Self> {
        let twice = |(at, line): (usize, &Line)| {
            let before = lines[..at].iter();
            before.clone().any(|other| other.product == line.product)
        };
        let sound = lines.len() <= LINES_MAX && !lines.iter().enumerate().any(twice);
        sound.then_some(Self { lines, version })
    }

    /// In the order in which the products first came in.
    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// With so many of the product, whatever it had of it.
    ///
    /// # Errors
    /// The product is not in it and there is no room.
    pub(crate) fn put(&self, line: Line) -> Result<Option<Self>, Full> {
        let mut lines = self.lines.clone();
        match lines.iter().position(|old| old.product == line.product) {
            Some(at) if lines[at] == line => return Ok(None),
            Some(at) => lines[at] = line,
            None if lines.len() == LINES_MAX => return Err(Full),
            None => lines.push(line),
        }
        Ok(Some(self.next(lines)))
    }

    /// Without the product.
    pub(crate) fn without(&self, product: ProductId) -> Option<Self> {
        let mut lines = self.lines.clone();
        lines.retain(|line| line.product != product);
        (lines.len() < self.lines.len()).then(|| self.next(lines))
    }

    /// With nothing in it.
    pub(crate) fn emptied(&self) -> Option<Self> {
        (!self.lines.is_empty()).then(|| self.next(Vec::new()))
    }

    fn next(&self, lines: Vec<Line>) -> Self {
        let version = self.version + 1;
        Self { lines, version }
    }
}

#[cfg(test)]
mod tests {
    use super::{Cart, Full, LINES_MAX, Line, ProductId, Quantity};
    use uuid::Uuid;

    fn line(product: u128, count: i64) -> Line {
        Line {
            product: ProductId(Uuid::from_u128(product)),
            quantity: Quantity::new(count).unwrap(),
        }
    }

    #[test]
    fn a_quantity_is_one_to_ninety_nine() {
        for count in [i64::MIN, -1, 0, 100, 256, 257, i64::MAX] {
            assert_eq!(Quantity::new(count), None, "{count}");
        }
        assert_eq!(Quantity::new(1).unwrap().count(), 1);
        assert_eq!(Quantity::new(99).unwrap().count(), 99);
    }

    #[test]
    fn each_change_is_a_version_and_what_changes_nothing_is_none() {
        let one = Cart::empty(7).put(line(1, 2)).unwrap().unwrap();
        assert_eq!((one.version(), one.lines()), (8, &[line(1, 2)][..]));
        assert_eq!(one.put(line(1, 2)), Ok(None));
        let two = one.put(line(2, 1)).unwrap().unwrap();
        let two = two.put(line(1, 9)).unwrap().unwrap();
        assert_eq!(
            (two.version(), two.lines()),
            (10, &[line(1, 9), line(2, 1)][..])
        );
        assert_eq!(two.without(line(3, 1).product), None);
        let rest = two.without(line(1, 1).product).unwrap();
        assert_eq!((rest.version(), rest.lines()), (11, &[line(2, 1)][..]));
        assert_eq!(rest.emptied(), Some(Cart::empty(12)));
        assert_eq!(Cart::empty(12).emptied(), None);
    }

    #[test]
    fn a_full_cart_takes_other_quantities_only() {
        let mut cart = Cart::empty(0);
        for product in 0..LINES_MAX as u128 {
            cart = cart.put(line(product, 1)).unwrap().unwrap();
        }
        assert_eq!(cart.put(line(1_000, 1)), Err(Full));
        assert!(cart.put(line(0, 5)).unwrap().is_some());
        let room = cart.without(line(0, 1).product).unwrap();
        assert!(room.put(line(1_000, 1)).unwrap().is_some());
    }

    #[test]
    fn lines_that_cannot_be_a_carts_are_not_restored() {
        assert!(Cart::restored(vec![line(1, 1), line(2, 1)], 3).is_some());
        assert!(Cart::restored(vec![line(1, 1), line(2, 1), line(1, 3)], 3).is_none());
        let many = (0..51).map(|product| line(product, 1)).collect();
        assert!(Cart::restored(many, 3).is_none());
    }
}
