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
    /// Looks at a product as a member, who is remembered for it.
    View,
    /// What others bought or looked at too.
    Related,
    Me,
    /// Puts something into the cart.
    Fill,
    /// Orders what is in the cart.
    Order,
    /// Orders once more with the same key: the answer was lost, or a button was pressed twice.
    Repeat,
    /// Looks at an order, or at all of one's orders.
    Look,
    /// Where one's parcel is.
    Shipment,
    /// What one was told.
    Messages,
    /// Reads the board.
    Posts,
    /// Writes on it.
    Post,
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
const MIX: [(Kind, [u32; 2]); 17] = [
    (Kind::Browse, [230, 20]),
    (Kind::Search, [230, 0]),
    (Kind::Product, [160, 0]),
    (Kind::View, [50, 20]),
    (Kind::Related, [25, 0]),
    (Kind::Me, [30, 0]),
    (Kind::Fill, [70, 320]),
    (Kind::Order, [55, 480]),
    (Kind::Repeat, [5, 30]),
    (Kind::Look, [30, 50]),
    (Kind::Shipment, [15, 10]),
    (Kind::Messages, [15, 10]),
    (Kind::Posts, [10, 0]),
    (Kind::Post, [5, 0]),
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
            Self::View => "view",
            Self::Related => "related",
            Self::Me => "me",
            Self::Fill => "fill",
            Self::Order => "order",
            Self::Repeat => "repeat",
            Self::Look => "look",
            Self::Shipment => "shipment",
            Self::Messages => "messages",
            Self::Posts => "posts",
            Self::Post => "post",
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

/// What members write on the board about.
pub(crate) const TITLES: [&str; 4] = [
    "Which beans for a moka pot?",
    "이 우산 튼튼한가요?",
    "Arrived in two days",
    "텀블러 추천해 주세요",
];

/// What they write.
pub(crate) const POST: &str = "Has anybody tried it? 써 보신 분 있나요?";

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
        let of_a_thousand = MIX.iter().fold([0, 0], |[shop, buy], (_, parts)| {
            [shop + parts[0], buy + parts[1]]
        });
        assert_eq!(of_a_thousand, [1000, 1000]);
        assert!((22_000..24_000).contains(&searches), "{searches}");
    }
}
