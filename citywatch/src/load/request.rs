//! One request of one shopper, from what it sends to what its answer means.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::mix::{Kind, POST, QUERIES, TITLES};
use super::order::Orders;
use super::schedule::Arrival;
use super::shop::{PASSWORD, Session, Shop, Shopper, pick};
use super::tally::Outcome;
use crate::journal::Journal;

/// A shopper gives up after this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Sign-ups and log-ins at one time.
const DESK: usize = 4;

pub(crate) struct Shoppers {
    pub(crate) client: Client,
    pub(crate) base: Url,
    /// Tells this run's members from those of other runs on the same city.
    pub(crate) run: String,
    pub(crate) shop: Mutex<Shop>,
    /// Where orders are written down; none: nowhere.
    pub(crate) journal: Option<Journal>,
    pub(crate) orders: Mutex<Orders>,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    id: String,
}

/// What reading the board gives; a single post has no items.
#[derive(Deserialize)]
struct Posts {
    #[serde(default)]
    items: Vec<Item>,
}

/// What is to be sent, with the shopper who sends it.
pub(super) struct Errand {
    pub(super) kind: Kind,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) body: Option<Value>,
    pub(super) bearer: Option<String>,
    /// The Idempotency-Key.
    pub(super) key: Option<String>,
    pub(super) expected: StatusCode,
    /// A refusal that is right as well, by its status and code.
    pub(super) or: Option<&'static str>,
    pub(super) shopper: Option<Shopper>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) trace: Option<String>,
    pub(super) body: Bytes,
}

impl Shoppers {
    /// Does what the arrival says, or what has to come before it: without members there is no
    /// log-in, without a session no profile. Says which kind it became.
    pub(crate) async fn serve(&self, arrival: Arrival) -> (Kind, Outcome) {
        let errand = self.errand(arrival);
        let kind = errand.kind;
        (kind, self.run(errand).await)
    }

    pub(super) fn shop(&self) -> MutexGuard<'_, Shop> {
        self.shop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }

    fn errand(&self, arrival: Arrival) -> Errand {
        let choice = arrival.choice;
        match arrival.kind {
            Kind::Browse => self.browse(choice),
            Kind::Search => {
                let query = QUERIES[pick(choice, QUERIES.len()).unwrap_or_default()];
                let mut url = self.url("/api/products");
                url.query_pairs_mut().append_pair("query", query);
                get(Kind::Search, url)
            }
            Kind::Product => match self.product(choice) {
                Some(id) => get(Kind::Product, self.url(&format!("/api/products/{id}"))),
                None => self.browse(choice),
            },
            Kind::Related => match self.product(choice) {
                Some(id) => {
                    let path = format!("/api/products/{id}/recommendations");
                    get(Kind::Related, self.url(&path))
                }
                None => self.browse(choice),
            },
            Kind::Posts => self.posts(choice),
            Kind::SignUp => self.sign_up(choice),
            Kind::LogIn => {
                let shopper = {
                    let mut shop = self.shop();
                    shop.take(choice, |shopper| shopper.session.is_none())
                        .or_else(|| shop.take(choice, |_| true))
                };
                match shopper {
                    Some(shopper) => self.log_in(shopper, choice),
                    None => self.sign_up(choice),
                }
            }
            kind => self.as_member(kind, choice),
        }
    }

    fn product(&self, choice: u64) -> Option<String> {
        self.shop().product(choice).map(ToOwned::to_owned)
    }

    /// The newest posts, or one of those seen.
    fn posts(&self, choice: u64) -> Errand {
        let post = self.shop().post(choice).map(ToOwned::to_owned);
        match post.filter(|_| choice.is_multiple_of(2)) {
            Some(id) => get(Kind::Posts, self.url(&format!("/api/posts/{id}"))),
            None => get(Kind::Posts, self.url("/api/posts")),
        }
    }

    pub(super) fn browse(&self, choice: u64) -> Errand {
        let mut url = self.url("/api/products");
        url.query_pairs_mut().append_pair("limit", "20");
        // Every second look is a page further.
        let cursor = self.shop().cursor().map(ToOwned::to_owned);
        if let Some(cursor) = cursor.filter(|_| choice.is_multiple_of(2)) {
            url.query_pairs_mut().append_pair("cursor", &cursor);
        }
        get(Kind::Browse, url)
    }

    /// A desk that is busy is left for later: passwords are hashed one at a time, and the gateway
    /// lets nobody hurry.
    fn sign_up(&self, choice: u64) -> Errand {
        let email = {
            let mut shop = self.shop();
            if shop.at_the_desk >= DESK {
                drop(shop);
                return self.browse(choice);
            }
            shop.at_the_desk += 1;
            shop.next_email(&self.run)
        };
        let body = json!({ "email": email, "password": PASSWORD, "name": "Shopper" });
        Errand {
            body: Some(body),
            method: Method::POST,
            expected: StatusCode::CREATED,
            shopper: Some(Shopper::new(email)),
            ..get(Kind::SignUp, self.url("/api/users"))
        }
    }

    pub(super) fn log_in(&self, shopper: Shopper, choice: u64) -> Errand {
        {
            let mut shop = self.shop();
            if shop.at_the_desk >= DESK {
                shop.put_back(shopper);
                drop(shop);
                return self.browse(choice);
            }
            shop.at_the_desk += 1;
        }
        let body = json!({ "email": shopper.email, "password": PASSWORD });
        Errand {
            body: Some(body),
            method: Method::POST,
            shopper: Some(shopper),
            ..get(Kind::LogIn, self.url("/api/sessions"))
        }
    }

    /// With a session that lasts, what is asked; else it is renewed, or begun.
    fn as_member(&self, kind: Kind, choice: u64) -> Errand {
        let taken = {
            let mut shop = self.shop();
            shop.take(choice, |shopper| {
                shopper.session.is_some() && suits(kind, shopper)
            })
            .or_else(|| shop.take(choice, |shopper| shopper.session.is_some()))
            .or_else(|| shop.take(choice, |_| true))
        };
        let Some(shopper) = taken else {
            return self.sign_up(choice);
        };
        self.for_member(shopper, kind, choice)
    }

    pub(super) fn for_member(&self, shopper: Shopper, kind: Kind, choice: u64) -> Errand {
        let Some(session) = shopper.session.clone() else {
            return self.log_in(shopper, choice);
        };
        if kind == Kind::Refresh || !session.fresh(Instant::now()) {
            return Errand {
                body: Some(json!({ "refresh_token": session.refresh_token })),
                method: Method::POST,
                shopper: Some(shopper),
                ..get(Kind::Refresh, self.url("/api/sessions/refresh"))
            };
        }
        let errand = match kind {
            Kind::Fill | Kind::Order | Kind::Repeat | Kind::Look => {
                self.shopping(&shopper, kind, choice)
            }
            kind => self.looking(&shopper, kind, choice),
        };
        Errand {
            bearer: Some(session.access_token),
            shopper: Some(shopper),
            ..errand
        }
    }

    /// What a member looks at or writes, beside shopping.
    fn looking(&self, shopper: &Shopper, kind: Kind, choice: u64) -> Errand {
        match (kind, self.product(choice), shopper.parcel()) {
            (Kind::View, Some(id), _) => get(Kind::View, self.url(&format!("/api/products/{id}"))),
            (Kind::Shipment, _, Some(order)) => Errand {
                // An order that was cancelled has none, and another's may not be there yet.
                or: Some("404 unknown_shipment"),
                ..get(Kind::Shipment, self.url(&format!("/api/shipments/{order}")))
            },
            // Whoever waits for no parcel reads what there is to read.
            (Kind::Messages | Kind::Shipment, ..) => {
                get(Kind::Messages, self.url("/api/notifications"))
            }
            (Kind::Post, ..) => Errand {
                body: Some(
                    json!({ "title": TITLES[pick(choice, TITLES.len()).unwrap_or_default()], "body": POST }),
                ),
                method: Method::POST,
                expected: StatusCode::CREATED,
                ..get(Kind::Post, self.url("/api/posts"))
            },
            _ => get(Kind::Me, self.url("/api/users/me")),
        }
    }

    pub(super) async fn run(&self, mut errand: Errand) -> Outcome {
        let shopper = errand.shopper.take();
        match (errand.kind, shopper) {
            (Kind::Order | Kind::Repeat, Some(shopper)) => self.order(errand, shopper).await,
            (Kind::Fill | Kind::Look, Some(shopper)) => self.shop_on(errand, shopper).await,
            (_, shopper) => self.look_around(&errand, shopper).await,
        }
    }

    pub(super) async fn send(&self, errand: &Errand) -> reqwest::Result<Answer> {
        let mut request = self
            .client
            .request(errand.method.clone(), errand.url.clone())
            .timeout(PATIENCE);
        if let Some(body) = &errand.body {
            request = request.json(body);
        }
        if let Some(token) = &errand.bearer {
            request = request.bearer_auth(token);
        }
        if let Some(key) = &errand.key {
            request = request.header("idempotency-key", key);
        }
        let response = request.send().await?;
        let trace = response
            .headers()
            .get("traceresponse")
            .and_then(|value| value.to_str().ok()?.split('-').nth(1))
            .map(str::to_owned);
        Ok(Answer {
            status: response.status(),
            trace,
            body: response.bytes().await?,
        })
    }

    /// Everything that is not shopping.
    async fn look_around(&self, errand: &Errand, shopper: Option<Shopper>) -> Outcome {
        let kind = errand.kind;
        let answer = self.send(errand).await;
        if matches!(kind, Kind::SignUp | Kind::LogIn) {
            self.shop().at_the_desk -= 1;
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                // Whether a refresh token was spent is not known: who held it logs in anew.
                self.back(shopper, None);
                return Outcome::Failed(reason(&error));
            }
        };
        if answer.status != errand.expected {
            let answered = named(answer.status, &answer.body);
            if errand.or == Some(answered.as_str()) {
                let session = shopper.as_ref().and_then(|shopper| shopper.session.clone());
                self.back(shopper, session);
                return Outcome::Expected;
            }
            self.back(shopper, None);
            return Outcome::Unexpected(answered);
        }
        self.learn(kind, shopper, &answer.body)
    }

    fn learn(&self, kind: Kind, shopper: Option<Shopper>, body: &[u8]) -> Outcome {
        let unreadable = || Outcome::Unexpected("unreadable body".to_owned());
        match kind {
            Kind::Browse | Kind::Search => {
                let Ok(page) = serde_json::from_slice::<Page>(body) else {
                    return unreadable();
                };
                let mut shop = self.shop();
                shop.seen(page.items.into_iter().map(|item| item.id));
                if kind == Kind::Browse {
                    shop.turn_page_to(page.next_cursor);
                }
            }
            Kind::LogIn | Kind::Refresh => {
                let Ok(tokens) = serde_json::from_slice::<Tokens>(body) else {
                    self.back(shopper, None);
                    return unreadable();
                };
                let session = Session {
                    access_token: tokens.access_token,
                    refresh_token: tokens.refresh_token,
                    ends: Instant::now() + Duration::from_secs(tokens.expires_in),
                };
                self.back(shopper, Some(session));
            }
            Kind::SignUp => self.back(shopper, None),
            Kind::Posts => {
                let Ok(posts) = serde_json::from_slice::<Posts>(body) else {
                    return unreadable();
                };
                let mut shop = self.shop();
                shop.seen_posts(posts.items.into_iter().map(|item| item.id));
            }
            _ => {
                let session = shopper.as_ref().and_then(|shopper| shopper.session.clone());
                self.back(shopper, session);
            }
        }
        Outcome::Expected
    }

    fn back(&self, shopper: Option<Shopper>, session: Option<Session>) {
        if let Some(shopper) = shopper {
            self.shop().put_back(Shopper { session, ..shopper });
        }
    }
}

/// Whether somebody can do that now, rather than something that has to come before it.
fn suits(kind: Kind, shopper: &Shopper) -> bool {
    match kind {
        Kind::Order => !shopper.waits() && shopper.cart.can_be_ordered(),
        Kind::Fill => !shopper.cart.can_be_ordered(),
        Kind::Repeat => shopper.order.is_some(),
        Kind::Look => shopper.waits(),
        _ => true,
    }
}

pub(super) fn get(kind: Kind, url: Url) -> Errand {
    Errand {
        kind,
        method: Method::GET,
        url,
        body: None,
        bearer: None,
        key: None,
        expected: StatusCode::OK,
        or: None,
        shopper: None,
    }
}

/// `429 rate_limited`: the status and, if it is a problem, its code.
pub(super) fn named(status: StatusCode, body: &[u8]) -> String {
    let problem: Option<Value> = serde_json::from_slice(body).ok();
    let code = problem
        .as_ref()
        .and_then(|problem| problem.get("code"))
        .and_then(Value::as_str);
    match code {
        Some(code) => format!("{} {code}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

pub(super) fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "cannot connect"
    } else if error.is_body() || error.is_decode() {
        "answer cut off"
    } else {
        "connection lost"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unexpected_answer_is_named_by_status_and_code() {
        let body = br#"{"type":"about:blank","code":"rate_limited","status":429}"#;
        assert_eq!(
            named(StatusCode::TOO_MANY_REQUESTS, body),
            "429 rate_limited"
        );
        assert_eq!(named(StatusCode::BAD_GATEWAY, b"<html>"), "502");
    }

    #[test]
    fn what_needs_a_member_begins_with_a_sign_up() {
        let shoppers = Shoppers {
            client: Client::new(),
            base: "http://127.0.0.1:9/".parse().unwrap(),
            run: "run".to_owned(),
            shop: Mutex::default(),
            journal: None,
            orders: Mutex::default(),
        };
        let arrival = |kind| Arrival {
            due: Duration::ZERO,
            kind,
            choice: 5,
        };
        for kind in [Kind::Me, Kind::Refresh, Kind::LogIn, Kind::Order] {
            assert_eq!(shoppers.errand(arrival(kind)).kind, Kind::SignUp);
        }
        for kind in [Kind::Product, Kind::Related] {
            assert_eq!(shoppers.errand(arrival(kind)).kind, Kind::Browse);
        }
        // Four are at the desk; the next comes back later, and nobody is lost meanwhile.
        let member = Shopper::new("a@example.com".into());
        shoppers.shop().put_back(member);
        assert_eq!(shoppers.errand(arrival(Kind::Me)).kind, Kind::Browse);
        shoppers.shop().at_the_desk = 0;
        assert_eq!(shoppers.errand(arrival(Kind::Me)).kind, Kind::LogIn);
    }
}
