//! What shoppers do, and how often.

use rand::RngExt;
use serde::Serialize;

/// One thing that a shopper does: one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Browse,
    Search,
    Product,
    Me,
    /// Puts something into the cart.
    Fill,
    /// Orders what is in the cart.
    Order,
    /// Orders once more with the same key: the answer was lost, or a button was pressed twice.
    Repeat,
    /// Looks at an order, or at all of one's orders.
    Look,
    LogIn,
    SignUp,
    Refresh,
}

/// Whom to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mix {
    /// As a shop sees them: most look around, about one in thirty buys
    #[default]
    Shop,
    /// Buyers alone: for drills that need many orders under way
    Buy,
}

/// Parts of a thousand: of a shop's visitors, and of buyers. Log-ins and sign-ups are few, as they
/// are in a shop: each costs the users service a hashed password. Somebody who cannot order yet
/// fills the cart instead.
const MIX: [(Kind, [u32; 2]); 11] = [
    (Kind::Browse, [260, 20]),
    (Kind::Search, [260, 0]),
    (Kind::Product, [210, 0]),
    (Kind::Me, [40, 0]),
    (Kind::Fill, [70, 330]),
    (Kind::Order, [55, 500]),
    (Kind::Repeat, [5, 30]),
    (Kind::Look, [30, 60]),
    (Kind::LogIn, [30, 30]),
    (Kind::SignUp, [20, 30]),
    (Kind::Refresh, [20, 0]),
];

impl Kind {
    pub(crate) const ALL: [Self; MIX.len()] = {
        let mut all = [Self::Browse; MIX.len()];
        let mut index = 0;
        while index < MIX.len() {
            all[index] = MIX[index].0;
            index += 1;
        }
        all
    };

    pub(crate) fn draw(mix: Mix, random: &mut impl rand::Rng) -> Self {
        let column = match mix {
            Mix::Shop => 0,
            Mix::Buy => 1,
        };
        let total: u32 = MIX.iter().map(|(_, parts)| parts[column]).sum();
        let mut at = random.random_range(0..total);
        for (kind, parts) in MIX {
            if at < parts[column] {
                return kind;
            }
            at -= parts[column];
        }
        Self::Browse
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Browse => "browse",
            Self::Search => "search",
            Self::Product => "product",
            Self::Me => "me",
            Self::Fill => "fill",
            Self::Order => "order",
            Self::Repeat => "repeat",
            Self::Look => "look",
            Self::LogIn => "log_in",
            Self::SignUp => "sign_up",
            Self::Refresh => "refresh",
        }
    }
}

/// What shoppers look for: Korean and English, one word and two, and what no shop has.
pub(crate) const QUERIES: [&str; 24] = [
    "커피",
    "원두 커피",
    "텀블러",
    "우산",
    "노트북",
    "무선 이어폰",
    "운동화",
    "가방",
    "책상",
    "의자",
    "녹차",
    "김치",
    "수건",
    "충전기",
    "coffee",
    "tea",
    "wireless",
    "umbrella",
    "desk lamp",
    "shoes",
    "notebook",
    "kitchen",
    "unicorn saddle",
    "무지개 자전거",
];

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn the_mix_is_what_the_table_says() {
        let mut random = rand::rngs::StdRng::seed_from_u64(7);
        let draws = 100_000;
        let mut searches = 0;
        for _ in 0..draws {
            searches += u32::from(Kind::draw(Mix::Shop, &mut random) == Kind::Search);
            assert_ne!(Kind::draw(Mix::Buy, &mut random), Kind::Search);
        }
        assert!((25_000..27_000).contains(&searches), "{searches}");
    }
}
