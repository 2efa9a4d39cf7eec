//! Money as minor units and currency; shared, because every service must round alike.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Currencies that the city trades in: ISO 4217 codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// South Korean won; no minor unit.
    Krw,
    /// Euro; cents.
    Eur,
    /// United States dollar; cents.
    Usd,
}

impl Currency {
    /// The ISO 4217 code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Krw => "KRW",
            Self::Eur => "EUR",
            Self::Usd => "USD",
        }
    }

    /// The currency with this ISO 4217 code, if the city trades in it.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Krw, Self::Eur, Self::Usd]
            .into_iter()
            .find(|currency| currency.code() == code)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in the currency's minor unit (won, cents).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// Minor units.
    #[schema(example = 12900)]
    pub amount: i64,
    /// ISO 4217 code.
    pub currency: Currency,
}
