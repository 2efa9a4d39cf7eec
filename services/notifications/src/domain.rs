//! What members are told, and in which words. Nothing here reads a clock, a row or the wire.

use app::money::{Currency, Money};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a notification is about. One of a kind is told once about the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The member has signed up.
    Welcome,
    /// The order is paid and its items are sold.
    OrderConfirmed,
    /// The order came to nothing.
    OrderCancelled,
    /// Money went back.
    PaymentRefunded,
    /// The parcel is on its way.
    ShipmentDispatched,
    /// The parcel has arrived.
    ShipmentDelivered,
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Welcome,
        Self::OrderConfirmed,
        Self::OrderCancelled,
        Self::PaymentRefunded,
        Self::ShipmentDispatched,
        Self::ShipmentDelivered,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Welcome => "welcome",
            Self::OrderConfirmed => "order_confirmed",
            Self::OrderCancelled => "order_cancelled",
            Self::PaymentRefunded => "payment_refunded",
            Self::ShipmentDispatched => "shipment_dispatched",
            Self::ShipmentDelivered => "shipment_delivered",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What it is about in a word or two, without anything of the member's.
    pub(crate) fn subject(self) -> Words<&'static str> {
        let (ko, en) = match self {
            Self::Welcome => ("가입을 환영합니다", "Welcome to Citywatch"),
            Self::OrderConfirmed => ("주문이 확정되었습니다", "Your order is confirmed"),
            Self::OrderCancelled => ("주문이 취소되었습니다", "Your order is cancelled"),
            Self::PaymentRefunded => ("환불이 완료되었습니다", "Your payment is refunded"),
            Self::ShipmentDispatched => ("상품이 발송되었습니다", "Your parcel is on its way"),
            Self::ShipmentDelivered => ("상품이 배송되었습니다", "Your parcel has arrived"),
        };
        Words { ko, en }
    }
}

/// The same in both languages of the city.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Words<T = String> {
    /// Korean.
    pub(crate) ko: T,
    /// English.
    pub(crate) en: T,
}

/// What has happened to a member, as an event says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) kind: Kind,
    /// The order, or for a welcome the member.
    pub(crate) about: Uuid,
    pub(crate) member_id: String,
    /// What was paid or went back, where the kind tells it.
    pub(crate) amount: Option<Money>,
}

impl News {
    /// What the member is told; by name, if it is known.
    pub(crate) fn text(&self, name: Option<&str>) -> Words {
        let Words { ko, en } = self.kind.subject();
        let (ko, en) = match (self.kind, self.amount) {
            (Kind::OrderConfirmed, Some(total)) => (
                format!("{ko}. 결제 금액: {}.", in_korean(total)),
                format!("{en}. Paid: {}.", in_english(total)),
            ),
            (Kind::PaymentRefunded, Some(amount)) => (
                format!("{ko}. 환불 금액: {}.", in_korean(amount)),
                format!("{en}. Refunded: {}.", in_english(amount)),
            ),
            _ => (format!("{ko}."), format!("{en}.")),
        };
        match name {
            Some(name) => Words {
                ko: format!("{name}님, {ko}"),
                en: format!("Dear {name}, {}", lowercase_first(&en)),
            },
            None => Words { ko, en },
        }
    }
}

/// After a form of address the sentence goes on.
fn lowercase_first(sentence: &str) -> String {
    let mut rest = sentence.chars();
    let first = rest.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(rest).collect()
}

fn in_korean(money: Money) -> String {
    match money.currency {
        Currency::Krw => format!("{}원", digits(money)),
        Currency::Eur => format!("{}유로", digits(money)),
        Currency::Usd => format!("{}달러", digits(money)),
    }
}

fn in_english(money: Money) -> String {
    format!("{} {}", money.currency.code(), digits(money))
}

/// The amount in major units, grouped by thousands.
fn digits(money: Money) -> String {
    let sign = if money.amount < 0 { "-" } else { "" };
    let minor = money.amount.unsigned_abs();
    let (major, rest) = match money.currency {
        Currency::Krw => (minor, None),
        Currency::Eur | Currency::Usd => (minor / 100, Some(minor % 100)),
    };
    let major = major.to_string();
    let mut grouped = String::new();
    for (at, digit) in major.chars().enumerate() {
        if at > 0 && (major.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let cents = rest.map(|cents| format!(".{cents:02}"));
    format!("{sign}{grouped}{}", cents.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(kind: Kind, amount: i64, currency: Currency) -> News {
        News {
            kind,
            about: Uuid::nil(),
            member_id: "mina".to_owned(),
            amount: Some(Money { amount, currency }),
        }
    }

    #[test]
    fn members_are_told_by_name_and_in_money_that_they_can_read() {
        let confirmed = news(Kind::OrderConfirmed, 1_234_900, Currency::Krw);
        let text = confirmed.text(Some("Mina Kim"));
        let ko = "Mina Kim님, 주문이 확정되었습니다. 결제 금액: 1,234,900원.";
        assert_eq!(text.ko, ko);
        let en = "Dear Mina Kim, your order is confirmed. Paid: KRW 1,234,900.";
        assert_eq!(text.en, en);

        let refunded = news(Kind::PaymentRefunded, 100_005, Currency::Usd);
        let text = refunded.text(None);
        assert_eq!(text.ko, "환불이 완료되었습니다. 환불 금액: 1,000.05달러.");
        let en = "Your payment is refunded. Refunded: USD 1,000.05.";
        assert_eq!(text.en, en);
    }

    #[test]
    fn money_is_grouped_by_thousands() {
        for (amount, currency, expected) in [
            (0, Currency::Krw, "0"),
            (999, Currency::Krw, "999"),
            (1_000, Currency::Krw, "1,000"),
            (5, Currency::Eur, "0.05"),
            (-123_456_789, Currency::Usd, "-1,234,567.89"),
            (i64::MIN, Currency::Krw, "-9,223,372,036,854,775,808"),
        ] {
            assert_eq!(digits(Money { amount, currency }), expected);
        }
    }

    #[test]
    fn a_kind_is_read_by_the_name_it_is_written_by() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            let Words { ko, en } = news(kind, 1, Currency::Krw).text(None);
            assert!(ko.starts_with(kind.subject().ko) && en.starts_with(kind.subject().en));
        }
        assert_eq!(Kind::from_name("spam"), None);
    }
}
