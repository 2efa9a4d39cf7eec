//! Products and the rules they obey.

use app::Timestamp;
use app::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

const NAME_MAX: usize = 200;
const DESCRIPTION_MAX: usize = 5_000;
/// A billion won, ten million euros: more is a slip of the keyboard.
const AMOUNT_MAX: i64 = 1_000_000_000;

/// The same text in both languages of the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Localized {
    /// Korean.
    #[schema(example = "무선 이어폰")]
    pub ko: String,
    /// English.
    #[schema(example = "Wireless Earphones")]
    pub en: String,
}

/// What is sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Product {
    /// UUIDv7.
    pub id: Uuid,
    /// What it is called.
    pub name: Localized,
    /// What there is to say about it.
    pub description: Localized,
    /// Id of its category.
    #[schema(example = "electronics")]
    pub category: String,
    /// What one costs.
    pub price: Money,
    /// Whether there is any to sell, as far as inventory has told.
    pub in_stock: bool,
    /// Grows by one with each edit.
    pub version: i64,
    /// When it was last edited.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl Product {
    pub(crate) fn edition(&self) -> Edition {
        Edition {
            version: self.version,
            in_stock: self.in_stock,
        }
    }
}

/// All that tells two representations of one product apart: its `ETag` is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edition {
    pub version: i64,
    pub in_stock: bool,
}

/// A shelf of the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Category {
    /// Short name for filters.
    #[schema(example = "electronics")]
    pub id: String,
    /// What it is called.
    pub name: Localized,
}

/// What an admin may set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    /// What it is called; 1 to 200 characters in each language.
    pub name: Localized,
    /// What there is to say about it; at most 5,000 characters in each language.
    pub description: Localized,
    /// Id of its category.
    #[schema(example = "electronics")]
    pub category: String,
    /// What one costs; more than nothing.
    pub price: Money,
}

/// Why a draft cannot be a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("`name` needs 1 to {NAME_MAX} characters in each language")]
    NameLength,
    #[error("`description` may have at most {DESCRIPTION_MAX} characters in each language")]
    DescriptionLength,
    #[error("`name` and `description` must not hold control characters")]
    ControlCharacter,
    #[error("`price.amount` must lie between 1 and {AMOUNT_MAX}")]
    Price,
}

impl Draft {
    /// The draft with the space around its texts removed.
    ///
    /// # Errors
    /// The first rule that it breaks. Whether the category exists only the store can tell.
    pub(crate) fn checked(mut self) -> Result<Self, Invalid> {
        for text in [&mut self.name, &mut self.description] {
            for text in [&mut text.ko, &mut text.en] {
                *text = text.trim().to_owned();
                if text.chars().any(|c| c.is_control() && c != '\n') {
                    return Err(Invalid::ControlCharacter);
                }
            }
        }
        let length = |text: &Localized| [text.ko.chars().count(), text.en.chars().count()];
        if length(&self.name)
            .iter()
            .any(|n| !(1..=NAME_MAX).contains(n))
        {
            return Err(Invalid::NameLength);
        }
        if length(&self.description)
            .iter()
            .any(|n| *n > DESCRIPTION_MAX)
        {
            return Err(Invalid::DescriptionLength);
        }
        if !(1..=AMOUNT_MAX).contains(&self.price.amount) {
            return Err(Invalid::Price);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Draft, Invalid, Localized};
    use app::money::{Currency, Money};

    fn draft() -> Draft {
        let both = |text: &str| Localized {
            ko: text.to_owned(),
            en: text.to_owned(),
        };
        Draft {
            name: both(" 컵 "),
            description: both("line\nline"),
            category: "kitchen".to_owned(),
            price: Money {
                amount: 1,
                currency: Currency::Krw,
            },
        }
    }

    #[test]
    fn a_draft_is_trimmed_and_checked() {
        assert_eq!(draft().checked().unwrap().name.ko, "컵");
        type Break = fn(&mut Draft);
        let breaks: [(Break, Invalid); 8] = [
            (|d| d.name.ko = "  ".to_owned(), Invalid::NameLength),
            (|d| d.name.en = "x".repeat(201), Invalid::NameLength),
            (
                |d| d.description.ko = "가".repeat(5_001),
                Invalid::DescriptionLength,
            ),
            (
                |d| d.name.en = "a\u{0}b".to_owned(),
                Invalid::ControlCharacter,
            ),
            (
                |d| d.description.en = "a\u{1b}[31m".to_owned(),
                Invalid::ControlCharacter,
            ),
            (|d| d.price.amount = 0, Invalid::Price),
            (|d| d.price.amount = -5, Invalid::Price),
            (|d| d.price.amount = i64::MAX, Invalid::Price),
        ];
        for (break_it, expected) in breaks {
            let mut broken = draft();
            break_it(&mut broken);
            assert_eq!(broken.checked().unwrap_err(), expected);
        }
    }
}
