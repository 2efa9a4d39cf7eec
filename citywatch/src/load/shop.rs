//! What shoppers know of the shop, and the shop of them: members, sessions, products seen.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::journal::Item;

/// Members that take part at one time; the oldest leave.
const MEMBERS: usize = 200;
/// Products remembered for a closer look.
const PRODUCTS: usize = 500;
/// Posts remembered to be read.
const POSTS: usize = 50;
/// A token this close to its end is no longer shown.
const MARGIN: Duration = Duration::from_secs(30);

pub(crate) const PASSWORD: &str = "a-shopper-who-says-friend";

/// A member with or without a session.
#[derive(Clone, Debug)]
pub(crate) struct Shopper {
    pub(crate) email: String,
    pub(crate) session: Option<Session>,
    pub(crate) cart: Cart,
    /// The last one.
    pub(crate) order: Option<Ordered>,
}

impl Shopper {
    pub(crate) fn new(email: String) -> Self {
        Self {
            email,
            session: None,
            cart: Cart::Unseen,
            order: None,
        }
    }

    /// The order whose parcel may be on its way.
    pub(crate) fn parcel(&self) -> Option<&str> {
        let order = self.order.as_ref()?;
        order
            .id
            .as_deref()
            .filter(|_| order.stands == Stands::Ended)
    }

    /// Has an order whose end is not known.
    pub(crate) fn waits(&self) -> bool {
        self.order
            .as_ref()
            .is_some_and(|order| order.stands != Stands::Ended)
    }
}

/// What a shopper knows of the own cart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cart {
    /// An answer was lost, or an order has emptied it, or will.
    Unseen,
    Seen(Vec<Item>),
    /// Holds what cannot be ordered any more.
    Spoilt,
}

impl Cart {
    pub(crate) fn can_be_ordered(&self) -> bool {
        matches!(self, Self::Seen(items) if !items.is_empty())
    }
}

/// An order as its shopper knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ordered {
    pub(crate) key: String,
    pub(crate) items: Vec<Item>,
    /// None until there was an answer.
    pub(crate) id: Option<String>,
    pub(crate) stands: Stands,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// Sent, and nobody knows.
    Unanswered,
    /// There, and under way.
    Open,
    Ended,
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) ends: Instant,
}

impl Session {
    pub(crate) fn fresh(&self, now: Instant) -> bool {
        now + MARGIN < self.ends
    }
}

/// Shared by all requests in flight. A shopper who does something is taken out and put back:
/// nobody spends the same refresh token twice.
#[derive(Debug, Default)]
pub(crate) struct Shop {
    shoppers: VecDeque<Shopper>,
    products: VecDeque<String>,
    posts: VecDeque<String>,
    cursor: Option<String>,
    signed_up: u64,
    /// Sign-ups and log-ins under way.
    pub(crate) at_the_desk: usize,
}

impl Shop {
    /// A new address each time.
    pub(crate) fn next_email(&mut self, run: &str) -> String {
        self.signed_up += 1;
        format!("shopper-{run}-{}@example.com", self.signed_up)
    }

    /// Takes somebody whom `fits`, beginning at a place that `choice` names.
    pub(crate) fn take(&mut self, choice: u64, fits: impl Fn(&Shopper) -> bool) -> Option<Shopper> {
        let start = pick(choice, self.shoppers.len())?;
        let length = self.shoppers.len();
        let found = (0..length)
            .map(|step| (start + step) % length)
            .find(|&index| fits(&self.shoppers[index]))?;
        self.shoppers.remove(found)
    }

    /// The oldest leaves if there are too many, but nobody leaves an order behind.
    pub(crate) fn put_back(&mut self, shopper: Shopper) {
        if self.shoppers.len() >= MEMBERS
            && let Some(leaves) = self.shoppers.iter().position(|shopper| !shopper.waits())
        {
            self.shoppers.remove(leaves);
        }
        self.shoppers.push_back(shopper);
    }

    /// Takes out all whose order has not come to its end.
    pub(crate) fn take_waiting(&mut self) -> Vec<Shopper> {
        let all = std::mem::take(&mut self.shoppers);
        let (waiting, others): (VecDeque<_>, _) = all.into_iter().partition(Shopper::waits);
        self.shoppers = others;
        waiting.into()
    }

    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Ordered> {
        let waiting = self.shoppers.iter().filter(|shopper| shopper.waits());
        waiting.filter_map(|shopper| shopper.order.as_ref())
    }

    pub(crate) fn seen(&mut self, products: impl IntoIterator<Item = String>) {
        remember(&mut self.products, products, PRODUCTS);
    }

    pub(crate) fn product(&self, choice: u64) -> Option<&str> {
        one_of(&self.products, choice)
    }

    pub(crate) fn seen_posts(&mut self, posts: impl IntoIterator<Item = String>) {
        remember(&mut self.posts, posts, POSTS);
    }

    pub(crate) fn post(&self, choice: u64) -> Option<&str> {
        one_of(&self.posts, choice)
    }

    pub(crate) fn turn_page_to(&mut self, cursor: Option<String>) {
        self.cursor = cursor;
    }

    pub(crate) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }
}

/// The oldest are forgotten.
fn remember(known: &mut VecDeque<String>, seen: impl IntoIterator<Item = String>, most: usize) {
    for id in seen {
        if known.len() >= most {
            known.pop_front();
        }
        known.push_back(id);
    }
}

fn one_of(known: &VecDeque<String>, choice: u64) -> Option<&str> {
    known.get(pick(choice, known.len())?).map(String::as_str)
}

/// An index below `length`; none when there is nothing to choose.
pub(crate) fn pick(choice: u64, length: usize) -> Option<usize> {
    let length = u64::try_from(length).ok().filter(|&length| length > 0)?;
    usize::try_from(choice % length).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shopper_does_one_thing_at_a_time_and_the_crowd_is_bounded() {
        let mut shop = Shop::default();
        for _ in 0..MEMBERS + 10 {
            let email = shop.next_email("run");
            shop.put_back(Shopper::new(email));
        }
        assert_eq!(shop.shoppers.len(), MEMBERS);
        let taken = shop.take(3, |_| true).unwrap();
        assert!(
            shop.take(3, |shopper| shopper.email == taken.email)
                .is_none()
        );
        assert!(shop.take(3, |shopper| shopper.session.is_some()).is_none());
    }

    #[test]
    fn whoever_waits_for_an_order_stays() {
        let mut shop = Shop::default();
        let mut first = Shopper::new("first@example.com".into());
        first.order = Some(Ordered {
            key: "key".into(),
            items: Vec::new(),
            id: None,
            stands: Stands::Unanswered,
        });
        shop.put_back(first);
        for _ in 0..MEMBERS + 10 {
            let email = shop.next_email("run");
            shop.put_back(Shopper::new(email));
        }
        assert_eq!((shop.shoppers.len(), shop.waiting().count()), (MEMBERS, 1));
        assert_eq!(shop.take_waiting().len(), 1);
        assert_eq!(
            (shop.shoppers.len(), shop.waiting().count()),
            (MEMBERS - 1, 0)
        );
    }
}
