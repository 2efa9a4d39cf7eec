//! What shoppers know of the shop, and the shop of them: members, sessions, products seen.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Members that take part at one time; the oldest leave.
const MEMBERS: usize = 200;
/// Products remembered for a closer look.
const PRODUCTS: usize = 500;
/// A token this close to its end is no longer shown.
const MARGIN: Duration = Duration::from_secs(30);

pub(crate) const PASSWORD: &str = "a-shopper-who-says-friend";

/// A member with or without a session.
#[derive(Clone, Debug)]
pub(crate) struct Shopper {
    pub(crate) email: String,
    pub(crate) session: Option<Session>,
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
    cursor: Option<String>,
    signed_up: u64,
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

    pub(crate) fn put_back(&mut self, shopper: Shopper) {
        if self.shoppers.len() >= MEMBERS {
            self.shoppers.pop_front();
        }
        self.shoppers.push_back(shopper);
    }

    pub(crate) fn seen(&mut self, products: impl IntoIterator<Item = String>) {
        for product in products {
            if self.products.len() >= PRODUCTS {
                self.products.pop_front();
            }
            self.products.push_back(product);
        }
    }

    pub(crate) fn product(&self, choice: u64) -> Option<&str> {
        self.products
            .get(pick(choice, self.products.len())?)
            .map(String::as_str)
    }

    pub(crate) fn turn_page_to(&mut self, cursor: Option<String>) {
        self.cursor = cursor;
    }

    pub(crate) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }
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
            shop.put_back(Shopper {
                email,
                session: None,
            });
        }
        assert_eq!(shop.shoppers.len(), MEMBERS);
        let taken = shop.take(3, |_| true).unwrap();
        assert!(
            shop.take(3, |shopper| shopper.email == taken.email)
                .is_none()
        );
        assert!(shop.take(3, |shopper| shopper.session.is_some()).is_none());
    }
}
