//! One request of one shopper, from what it sends to what its answer means.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::mix::{Kind, QUERIES};
use super::schedule::Arrival;
use super::shop::{PASSWORD, Session, Shop, Shopper, pick};
use super::tally::Outcome;

/// A shopper gives up after this.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Shoppers {
    pub(crate) client: Client,
    pub(crate) base: Url,
    /// Tells this run's members from those of other runs on the same city.
    pub(crate) run: String,
    pub(crate) shop: Mutex<Shop>,
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

/// What is to be sent, with the shopper who sends it.
struct Errand {
    kind: Kind,
    method: Method,
    url: Url,
    body: Option<Value>,
    bearer: Option<String>,
    expected: StatusCode,
    shopper: Option<Shopper>,
}

impl Shoppers {
    /// Does what the arrival says, or what has to come before it: without members there is no
    /// log-in, without a session no profile. Says which kind it became.
    pub(crate) async fn serve(&self, arrival: Arrival) -> (Kind, Outcome) {
        let errand = self.errand(arrival);
        let kind = errand.kind;
        (kind, self.run(errand).await)
    }

    fn shop(&self) -> MutexGuard<'_, Shop> {
        self.shop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn url(&self, path: &str) -> Url {
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
            Kind::Product => {
                let product = self.shop().product(choice).map(ToOwned::to_owned);
                match product {
                    Some(id) => get(Kind::Product, self.url(&format!("/api/products/{id}"))),
                    None => self.browse(choice),
                }
            }
            Kind::SignUp => self.sign_up(),
            Kind::LogIn => {
                let shopper = {
                    let mut shop = self.shop();
                    shop.take(choice, |shopper| shopper.session.is_none())
                        .or_else(|| shop.take(choice, |_| true))
                };
                shopper.map_or_else(|| self.sign_up(), |shopper| self.log_in(shopper))
            }
            Kind::Me => self.as_member(choice, true),
            Kind::Refresh => self.as_member(choice, false),
        }
    }

    fn browse(&self, choice: u64) -> Errand {
        let mut url = self.url("/api/products");
        url.query_pairs_mut().append_pair("limit", "20");
        // Every second look is a page further.
        let cursor = self.shop().cursor().map(ToOwned::to_owned);
        if let Some(cursor) = cursor.filter(|_| choice.is_multiple_of(2)) {
            url.query_pairs_mut().append_pair("cursor", &cursor);
        }
        get(Kind::Browse, url)
    }

    fn sign_up(&self) -> Errand {
        let email = self.shop().next_email(&self.run);
        let body = json!({ "email": email, "password": PASSWORD, "name": "Shopper" });
        Errand {
            body: Some(body),
            method: Method::POST,
            expected: StatusCode::CREATED,
            shopper: Some(Shopper {
                email,
                session: None,
            }),
            ..get(Kind::SignUp, self.url("/api/users"))
        }
    }

    fn log_in(&self, shopper: Shopper) -> Errand {
        let body = json!({ "email": shopper.email, "password": PASSWORD });
        Errand {
            body: Some(body),
            method: Method::POST,
            shopper: Some(shopper),
            ..get(Kind::LogIn, self.url("/api/sessions"))
        }
    }

    /// With a session: looks at the own profile while it lasts, else renews it.
    fn as_member(&self, choice: u64, profile: bool) -> Errand {
        let taken = {
            let mut shop = self.shop();
            shop.take(choice, |shopper| shopper.session.is_some())
                .or_else(|| shop.take(choice, |_| true))
        };
        let Some(shopper) = taken else {
            return self.sign_up();
        };
        let Some(session) = shopper.session.clone() else {
            return self.log_in(shopper);
        };
        if profile && session.fresh(Instant::now()) {
            return Errand {
                bearer: Some(session.access_token),
                shopper: Some(shopper),
                ..get(Kind::Me, self.url("/api/users/me"))
            };
        }
        Errand {
            body: Some(json!({ "refresh_token": session.refresh_token })),
            method: Method::POST,
            shopper: Some(shopper),
            ..get(Kind::Refresh, self.url("/api/sessions/refresh"))
        }
    }

    async fn run(&self, errand: Errand) -> Outcome {
        let kind = errand.kind;
        let shopper = errand.shopper;
        let mut request = self
            .client
            .request(errand.method, errand.url)
            .timeout(PATIENCE);
        if let Some(body) = &errand.body {
            request = request.json(body);
        }
        if let Some(token) = &errand.bearer {
            request = request.bearer_auth(token);
        }
        let answer = async {
            let response = request.send().await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        };
        let (status, body) = match answer.await {
            Ok(answer) => answer,
            Err(error) => {
                // Whether a refresh token was spent is not known: who held it logs in anew.
                self.back(shopper, None);
                return Outcome::Failed(reason(&error));
            }
        };
        if status != errand.expected {
            self.back(shopper, None);
            return Outcome::Unexpected(named(status, &body));
        }
        self.learn(kind, shopper, &body)
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
            Kind::Me => {
                let session = shopper.as_ref().and_then(|shopper| shopper.session.clone());
                self.back(shopper, session);
            }
            Kind::Product => {}
        }
        Outcome::Expected
    }

    fn back(&self, shopper: Option<Shopper>, session: Option<Session>) {
        if let Some(shopper) = shopper {
            self.shop().put_back(Shopper { session, ..shopper });
        }
    }
}

fn get(kind: Kind, url: Url) -> Errand {
    Errand {
        kind,
        method: Method::GET,
        url,
        body: None,
        bearer: None,
        expected: StatusCode::OK,
        shopper: None,
    }
}

/// `429 rate_limited`: the status and, if it is a problem, its code.
fn named(status: StatusCode, body: &[u8]) -> String {
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

fn reason(error: &reqwest::Error) -> &'static str {
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
        };
        let arrival = |kind| Arrival {
            due: Duration::ZERO,
            kind,
            choice: 5,
        };
        for kind in [Kind::Me, Kind::Refresh, Kind::LogIn] {
            assert_eq!(shoppers.errand(arrival(kind)).kind, Kind::SignUp);
        }
        assert_eq!(shoppers.errand(arrival(Kind::Product)).kind, Kind::Browse);
        shoppers.shop().put_back(Shopper {
            email: "a@example.com".into(),
            session: None,
        });
        assert_eq!(shoppers.errand(arrival(Kind::Me)).kind, Kind::LogIn);
    }
}
