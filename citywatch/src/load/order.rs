//! A shopper's way from the shelf to the end of an order, each attempt written down before it is
//! sent and once it is known what came of it.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use app::money::Money;
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinSet;

use super::mix::Kind;
use super::request::{Answer, Errand, Shoppers, get, named, reason};
use super::shop::{Cart, Ordered, Shopper, Stands};
use super::tally::Outcome;
use crate::journal::{Item, Op, Record};

/// Between two looks at an order that is still open when the run is over.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// What every order says; a repeat says the same.
const NOTE: &str = "leave it at the door";

/// How the run's orders went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Orders {
    /// Keys that were sent at least once.
    pub(crate) placed: u64,
    pub(crate) confirmed: u64,
    pub(crate) cancelled: u64,
    /// Answered that nothing was started.
    pub(crate) refused: u64,
    /// Attempts with a key that was used before.
    pub(crate) repeated: u64,
    /// Still under way at the end.
    pub(crate) open: u64,
    /// Never answered.
    pub(crate) unanswered: u64,
}

#[derive(Deserialize)]
struct CartView {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct OrderView {
    id: String,
    status: String,
    items: Vec<Item>,
    total: Money,
}

impl OrderView {
    fn stands(&self) -> Stands {
        if self.status == "pending" {
            Stands::Open
        } else {
            Stands::Ended
        }
    }

    fn record(&self, key: &str, trace: Option<String>) -> Record {
        Record {
            order_id: Some(self.id.clone()),
            status: Some(self.status.clone()),
            amount: Some(self.total),
            items: self.items.clone(),
            trace,
            ..Record::new(Op::Ok, key)
        }
    }
}

impl Shoppers {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counts, with those that have not come to an end.
    pub(crate) fn order_counts(&self) -> Orders {
        let mut counts = *self.orders();
        for order in self.shop().waiting() {
            match order.stands {
                Stands::Open => counts.open += 1,
                Stands::Unanswered => counts.unanswered += 1,
                Stands::Ended => {}
            }
        }
        counts
    }

    /// What this shopper does about that wish: whoever waits for an order finds out first.
    pub(super) fn shopping(&self, shopper: &Shopper, kind: Kind, choice: u64) -> Errand {
        let order = shopper.order.as_ref();
        match (kind, order) {
            (_, Some(order)) if order.stands == Stands::Unanswered => {
                self.place(Kind::Repeat, order)
            }
            (
                Kind::Order | Kind::Look,
                Some(Ordered {
                    id: Some(id),
                    stands: Stands::Open,
                    ..
                }),
            ) => get(Kind::Look, self.url(&format!("/api/orders/{id}"))),
            (Kind::Repeat, Some(order)) => self.place(Kind::Repeat, order),
            (Kind::Look, _) => get(Kind::Look, self.url("/api/orders")),
            (Kind::Order, _) if shopper.cart.can_be_ordered() => {
                // The key is made when the order is sent: until then there is nothing to repeat.
                Errand {
                    body: Some(json!({ "note": NOTE })),
                    method: Method::POST,
                    ..get(Kind::Order, self.url("/api/orders"))
                }
            }
            _ => self.fill(shopper, choice),
        }
    }

    fn place(&self, kind: Kind, order: &Ordered) -> Errand {
        Errand {
            body: Some(json!({ "note": NOTE })),
            method: Method::POST,
            key: Some(order.key.clone()),
            ..get(kind, self.url("/api/orders"))
        }
    }

    fn fill(&self, shopper: &Shopper, choice: u64) -> Errand {
        if shopper.cart == Cart::Spoilt {
            return Errand {
                method: Method::DELETE,
                expected: StatusCode::NO_CONTENT,
                ..get(Kind::Fill, self.url("/api/cart"))
            };
        }
        let Some(product) = self.shop().product(choice).map(str::to_owned) else {
            // Whoever has seen nothing yet looks at what lies in the cart.
            return get(Kind::Fill, self.url("/api/cart"));
        };
        Errand {
            body: Some(json!({ "quantity": 1 + choice % 3 })),
            method: Method::PUT,
            ..get(Kind::Fill, self.url(&format!("/api/cart/items/{product}")))
        }
    }

    /// Fills the cart, or looks at orders.
    pub(super) async fn shop_on(&self, errand: Errand, mut shopper: Shopper) -> Outcome {
        let answer = match self.send(&errand).await {
            Ok(answer) => answer,
            Err(error) => {
                if errand.kind == Kind::Fill {
                    shopper.cart = Cart::Unseen;
                }
                self.shop().put_back(shopper);
                return Outcome::Failed(reason(&error));
            }
        };
        if answer.status != errand.expected {
            if errand.kind == Kind::Fill {
                // What cannot be put in, or not any more, is found out by a look.
                shopper.cart = match answer.status {
                    StatusCode::UNPROCESSABLE_ENTITY => Cart::Spoilt,
                    _ => Cart::Unseen,
                };
            }
            return self.turned_away(shopper, &answer);
        }
        let outcome = match errand.kind {
            Kind::Fill if errand.method == Method::DELETE => {
                shopper.cart = Cart::Unseen;
                Outcome::Expected
            }
            Kind::Fill => match serde_json::from_slice::<CartView>(&answer.body) {
                Ok(cart) => {
                    shopper.cart = Cart::Seen(cart.items);
                    Outcome::Expected
                }
                Err(_) => unreadable(),
            },
            _ => self.looked(&mut shopper, &errand, answer).await,
        };
        self.shop().put_back(shopper);
        outcome
    }

    async fn looked(&self, shopper: &mut Shopper, errand: &Errand, answer: Answer) -> Outcome {
        let Some(order) = &mut shopper.order else {
            return Outcome::Expected;
        };
        let looked_at_one = order
            .id
            .as_ref()
            .is_some_and(|id| errand.url.path().ends_with(id.as_str()));
        if !looked_at_one {
            return Outcome::Expected;
        }
        let Ok(view) = serde_json::from_slice::<OrderView>(&answer.body) else {
            return unreadable();
        };
        if view.stands() == Stands::Ended {
            if let Some(failed) = self.note(&view.record(&order.key, answer.trace)).await {
                return failed;
            }
            order.stands = Stands::Ended;
            self.count_end(&view.status);
        }
        Outcome::Expected
    }

    /// One attempt to order.
    pub(super) async fn order(&self, mut errand: Errand, mut shopper: Shopper) -> Outcome {
        let mut order = match (errand.kind, shopper.order.take(), &shopper.cart) {
            (Kind::Repeat, Some(order), _) => {
                self.orders().repeated += 1;
                order
            }
            (_, _, Cart::Seen(items)) => {
                self.orders().placed += 1;
                Ordered {
                    key: format!("{}-{:016x}", self.run, rand::random::<u64>()),
                    items: items.clone(),
                    id: None,
                    stands: Stands::Unanswered,
                }
            }
            (_, order, _) => {
                shopper.order = order;
                self.shop().put_back(shopper);
                return Outcome::NotSent;
            }
        };
        errand.key = Some(order.key.clone());
        let invoke = Record {
            items: order.items.clone(),
            ..Record::new(Op::Invoke, &order.key)
        };
        if let Some(failed) = self.note(&invoke).await {
            self.shop().put_back(shopper);
            return failed;
        }
        let sent = self.send(&errand).await;
        let (outcome, record, stays) = match sent {
            Ok(answer) if answer.status.is_success() => self.accepted(&mut order, answer),
            Ok(answer) => {
                let why = named(answer.status, &answer.body);
                if answer.status == StatusCode::UNAUTHORIZED {
                    shopper.session = None;
                }
                if answer.status == StatusCode::UNPROCESSABLE_ENTITY {
                    shopper.cart = Cart::Spoilt;
                }
                let definite = is_definite(answer.status, &why);
                let op = if definite { Op::Fail } else { Op::Info };
                let record = Record {
                    trace: answer.trace,
                    why: Some(why.clone()),
                    ..Record::new(op, &order.key)
                };
                // One refusal does not undo an earlier attempt that nobody answered.
                let first = errand.kind == Kind::Order;
                if definite && first {
                    self.orders().refused += 1;
                }
                let gives_up = definite && (first || answer.status.is_client_error());
                (
                    Outcome::Unexpected(why),
                    record,
                    !gives_up || order.id.is_some(),
                )
            }
            Err(error) => {
                let why = reason(&error);
                // Without a connection nothing was sent.
                let op = if error.is_connect() {
                    Op::Fail
                } else {
                    Op::Info
                };
                let record = Record {
                    why: Some(why.to_owned()),
                    ..Record::new(op, &order.key)
                };
                let stays = !(error.is_connect() && errand.kind == Kind::Order);
                if !stays {
                    self.orders().refused += 1;
                }
                (Outcome::Failed(why), record, stays)
            }
        };
        if errand.kind == Kind::Order && shopper.cart != Cart::Spoilt {
            shopper.cart = Cart::Unseen;
        }
        let noted = self.note(&record).await;
        shopper.order = stays.then_some(order);
        self.shop().put_back(shopper);
        noted.unwrap_or(outcome)
    }

    fn accepted(&self, order: &mut Ordered, answer: Answer) -> (Outcome, Record, bool) {
        let Ok(view) = serde_json::from_slice::<OrderView>(&answer.body) else {
            let record = Record {
                trace: answer.trace,
                why: Some("unreadable body".to_owned()),
                ..Record::new(Op::Info, &order.key)
            };
            return (unreadable(), record, true);
        };
        let record = view.record(&order.key, answer.trace);
        let another = order.id.as_ref().is_some_and(|id| *id != view.id);
        let was = order.stands;
        if was != Stands::Ended {
            order.stands = view.stands();
            if order.stands == Stands::Ended {
                self.count_end(&view.status);
            }
        }
        order.id = Some(view.id);
        let outcome = if another {
            Outcome::Unexpected("another order for the same key".to_owned())
        } else {
            Outcome::Expected
        };
        (outcome, record, true)
    }

    fn count_end(&self, status: &str) {
        let mut orders = self.orders();
        match status {
            "cancelled" => orders.cancelled += 1,
            _ => orders.confirmed += 1,
        }
    }

    fn turned_away(&self, mut shopper: Shopper, answer: &Answer) -> Outcome {
        if answer.status == StatusCode::UNAUTHORIZED {
            shopper.session = None;
        }
        self.shop().put_back(shopper);
        Outcome::Unexpected(named(answer.status, &answer.body))
    }

    /// Writes it down; says so if that failed, for an order that is not written down is not sent.
    async fn note(&self, record: &Record) -> Option<Outcome> {
        let journal = self.journal.as_ref()?;
        let failed = journal.add(record).await.err()?;
        Some(Outcome::Unexpected(format!("{failed:#}")))
    }

    /// After the run: asks for every order that has not come to its end, at most for `limit`.
    pub(crate) async fn settle(self: &Arc<Self>, limit: Duration) {
        let end = Instant::now() + limit;
        loop {
            let waiting = self.shop().take_waiting();
            if waiting.is_empty() {
                return;
            }
            let mut asking = JoinSet::new();
            for shopper in waiting {
                let shoppers = Arc::clone(self);
                asking.spawn(async move {
                    let errand = shoppers.for_member(shopper, Kind::Look, 0);
                    shoppers.run(errand).await
                });
            }
            asking.join_all().await;
            if Instant::now() + LOOK_AGAIN > end {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Answers that promise that nothing was started.
fn is_definite(status: StatusCode, named: &str) -> bool {
    match status {
        StatusCode::REQUEST_TIMEOUT | StatusCode::CONFLICT => false,
        StatusCode::SERVICE_UNAVAILABLE => ["cart_unavailable", "catalog_unavailable"]
            .iter()
            .any(|code| named.ends_with(code)),
        status => status.is_client_error(),
    }
}

fn unreadable() -> Outcome {
    Outcome::Unexpected("unreadable body".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_promise_that_nothing_was_started_is_definite() {
        for (status, code, definite) in [
            (422, "cart_empty", true),
            (429, "rate_limited", true),
            (503, "cart_unavailable", true),
            (503, "no_instance", false),
            (409, "idempotency_key_in_use", false),
            (502, "upstream_failed", false),
            (504, "timeout", false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                is_definite(status, &format!("{status} {code}")),
                definite,
                "{status} {code}"
            );
        }
    }
}
