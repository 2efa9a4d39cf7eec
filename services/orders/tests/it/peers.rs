//! The services that orders calls, as small as they can be and strict about the contract: one
//! server that plays them all, with shelves and a bank's book that can be counted afterwards.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use app::money::{Currency, Money};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use uuid::Uuid;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It fails before anything is done.
    FailsBefore,
    /// It is done, and the answer says otherwise.
    FailsAfter,
    /// Nothing is done and nothing answered.
    HangsBefore,
    /// It is done, and nobody is told.
    HangsAfter,
    /// It is refused with this problem.
    Refuses(u16, &'static str),
}

/// What a charge has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charge {
    Captured,
    Refunded,
    Voided,
}

/// State and items.
type Reservation = (&'static str, Vec<(Uuid, i64)>);

#[derive(Debug, Default)]
pub(crate) struct World {
    /// Cart of each member: items and version.
    pub(crate) carts: BTreeMap<String, (BTreeMap<Uuid, u32>, u64)>,
    pub(crate) prices: BTreeMap<Uuid, i64>,
    pub(crate) on_hand: BTreeMap<Uuid, i64>,
    pub(crate) sold: BTreeMap<Uuid, i64>,
    /// By order.
    pub(crate) reservations: BTreeMap<String, Reservation>,
    pub(crate) charges: BTreeMap<String, Charge>,
    /// What the bank did: order and amount, negative for a refund.
    pub(crate) book: Vec<(String, i64)>,
    /// Every request, by the name of what it asks for.
    pub(crate) asked: Vec<&'static str>,
    next: BTreeMap<&'static str, VecDeque<Mood>>,
    always: BTreeMap<&'static str, Mood>,
    broken: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Peers {
    /// One listener each: to those who call them they are four.
    pub(crate) addresses: BTreeMap<&'static str, [SocketAddr; 1]>,
    world: Arc<Mutex<World>>,
    count: watch::Sender<usize>,
}

impl Peers {
    pub(crate) async fn start() -> Self {
        let mut listeners = Vec::new();
        let mut addresses = BTreeMap::new();
        for name in ["cart", "catalog", "inventory", "payments"] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.insert(name, [listener.local_addr().unwrap()]);
            listeners.push(listener);
        }
        let peers = Self {
            addresses,
            world: Arc::default(),
            count: watch::Sender::new(0),
        };
        let router = Router::new()
            .route("/inner/v1/carts/{id}", get(read_cart).delete(empty_cart))
            .route("/inner/v1/prices", get(prices))
            .route("/inner/v1/reservations/{id}", put(reserve).delete(release))
            .route("/inner/v1/reservations/{id}/confirm", post(confirm))
            .route("/inner/v1/charges/{id}", put(charge))
            .route("/inner/v1/refunds/{id}", put(refund))
            .with_state(peers.clone());
        for listener in listeners {
            let router = router.clone();
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        peers
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// A product that is sold.
    pub(crate) fn product(&self, price: i64, stock: i64) -> Uuid {
        let id = Uuid::now_v7();
        let mut world = self.world();
        world.prices.insert(id, price);
        world.on_hand.insert(id, stock);
        id
    }

    pub(crate) fn fill_cart(&self, member: &str, items: &[(Uuid, u32)]) {
        let mut world = self.world();
        let cart = world.carts.entry(member.to_owned()).or_default();
        cart.0 = items.iter().copied().collect();
        cart.1 += 1;
    }

    /// What happens to the next requests for `what`, in this order.
    pub(crate) fn next(&self, what: &'static str, moods: &[Mood]) {
        self.world().next.entry(what).or_default().extend(moods);
    }

    /// What happens to all others.
    pub(crate) fn always(&self, what: &'static str, mood: Option<Mood>) {
        let mut world = self.world();
        match mood {
            Some(mood) => world.always.insert(what, mood),
            None => world.always.remove(what),
        };
    }

    /// Waits until `what` was asked for so often.
    pub(crate) async fn asked(&self, what: &str, times: usize) {
        let mut count = self.count.subscribe();
        let wait = count.wait_for(|_| {
            let world = self.world();
            world.asked.iter().filter(|asked| **asked == what).count() >= times
        });
        let wait = tokio::time::timeout(std::time::Duration::from_secs(20), wait);
        wait.await.expect("asked in time").unwrap();
    }

    pub(crate) fn times_asked(&self, what: &str) -> usize {
        let world = self.world();
        world.asked.iter().filter(|asked| **asked == what).count()
    }

    /// Nothing was asked for that the contract does not know; and of each order money and stock
    /// are where its end says.
    pub(crate) fn assert_settled(&self, order: &Value) {
        let world = self.world();
        assert_eq!(world.broken, [""; 0], "the contract was broken");
        let id = order["id"].as_str().unwrap();
        let paid: Vec<_> = world.book.iter().filter(|(of, _)| of == id).collect();
        let sum: i64 = paid.iter().map(|(_, amount)| amount).sum();
        let state = world.reservations.get(id).map(|(state, _)| *state);
        let told = format!("{order} {world:?}");
        match order["status"].as_str().unwrap() {
            "confirmed" => {
                assert_eq!(paid.len(), 1, "{told}");
                assert_eq!(Some(sum), order["total"]["amount"].as_i64(), "{told}");
                assert_eq!(state, Some("confirmed"), "{told}");
            }
            "cancelled" => {
                assert_eq!(sum, 0, "{told}");
                assert_eq!(state, Some("released"), "{told}");
            }
            other => panic!("{other}: {told}"),
        }
    }

    /// Does what is asked for, or what the mood says instead.
    async fn answer(
        &self,
        what: &'static str,
        callee: &str,
        headers: &HeaderMap,
        act: impl FnOnce(&mut World) -> Response,
    ) -> Response {
        let (mood, response) = {
            let mut world = self.world();
            world.asked.push(what);
            if let Err(why) = caller(headers, callee) {
                world.broken.push(format!("{what}: {why}"));
            }
            let always = world.always.get(what).copied();
            let next = world.next.get_mut(what).and_then(VecDeque::pop_front);
            let mood = next.or(always);
            let acts = matches!(mood, None | Some(Mood::FailsAfter | Mood::HangsAfter));
            (mood, acts.then(|| act(&mut world)))
        };
        self.count.send_modify(|count| *count += 1);
        match (mood, response) {
            (None, Some(response)) => response,
            (Some(Mood::Refuses(status, code)), _) => problem(status, code),
            (Some(Mood::HangsBefore | Mood::HangsAfter), _) => std::future::pending().await,
            _ => problem(503, "unwell"),
        }
    }
}

/// Orders says who it is, to whom it speaks.
fn caller(headers: &HeaderMap, callee: &str) -> Result<(), String> {
    let token = headers.get(header::AUTHORIZATION).ok_or("no token")?;
    let token = token.to_str().unwrap().strip_prefix("Bearer ");
    let payload = token.and_then(|token| token.split('.').nth(1));
    let payload = URL_SAFE_NO_PAD.decode(payload.ok_or("no token")?).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    match claims["iss"] == "orders" && claims["aud"] == callee {
        true => Ok(()),
        false => Err(format!("{claims} calls {callee}")),
    }
}

fn problem(status: u16, code: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    let body = json!({ "status": status.as_u16(), "code": code });
    (status, kind, body.to_string()).into_response()
}

fn json_of(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, axum::Json(body.clone())).into_response()
}

async fn read_cart(
    State(peers): State<Peers>,
    Path(member): Path<String>,
    headers: HeaderMap,
) -> Response {
    let act = |world: &mut World| {
        let (items, version) = world.carts.get(&member).cloned().unwrap_or_default();
        let items = items
            .iter()
            .map(|(id, quantity)| json!({ "product_id": id, "quantity": quantity }));
        let items: Vec<_> = items.collect();
        json_of(200, &json!({ "items": items, "version": version }))
    };
    peers.answer("cart", "cart", &headers, act).await
}

async fn empty_cart(
    State(peers): State<Peers>,
    Path(member): Path<String>,
    Query(query): Query<BTreeMap<String, u64>>,
    headers: HeaderMap,
) -> Response {
    let act = |world: &mut World| {
        let (items, version) = world.carts.entry(member).or_default();
        if *version == query["version"] {
            items.clear();
            *version += 1;
        }
        StatusCode::NO_CONTENT.into_response()
    };
    peers.answer("empty_cart", "cart", &headers, act).await
}

async fn prices(
    State(peers): State<Peers>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let act = |world: &mut World| {
        let items = query["ids"].split(',').filter_map(|id| {
            let price = world.prices.get(&Uuid::parse_str(id).ok()?)?;
            let price = Money {
                amount: *price,
                currency: Currency::Krw,
            };
            let name = json!({ "ko": "컵", "en": "Mug" });
            Some(json!({ "product_id": id, "name": name, "price": price }))
        });
        json_of(200, &json!({ "items": items.collect::<Vec<_>>() }))
    };
    peers.answer("prices", "catalog", &headers, act).await
}

fn reservation(order: &str, status: u16, state: &str, items: &[(Uuid, i64)]) -> Response {
    let items = items
        .iter()
        .map(|(id, quantity)| json!({ "product_id": id, "quantity": quantity }));
    let items: Vec<_> = items.collect();
    let expires_at = "2126-01-01T00:00:00.000000Z";
    let body =
        json!({ "order_id": order, "state": state, "items": items, "expires_at": expires_at });
    json_of(status, &body)
}

async fn reserve(
    State(peers): State<Peers>,
    Path(order): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let wanted = body["items"].as_array().unwrap().iter().map(|item| {
        let id = item["product_id"].as_str().unwrap();
        (id.parse().unwrap(), item["quantity"].as_i64().unwrap())
    });
    let wanted: Vec<(Uuid, i64)> = wanted.collect();
    let act = |world: &mut World| match world.reservations.get(&order) {
        Some(("released", _)) => problem(409, "reservation_released"),
        Some((_, items)) if *items != wanted => problem(422, "reservation_differs"),
        Some((state, items)) => reservation(&order, 200, state, items),
        None if wanted.iter().any(|(id, n)| world.on_hand[id] < *n) => problem(409, "out_of_stock"),
        None => {
            for (id, quantity) in &wanted {
                *world.on_hand.get_mut(id).unwrap() -= quantity;
            }
            let held = ("held", wanted.clone());
            world.reservations.insert(order.clone(), held);
            reservation(&order, 201, "held", &wanted)
        }
    };
    peers.answer("reserve", "inventory", &headers, act).await
}

async fn confirm(
    State(peers): State<Peers>,
    Path(order): Path<String>,
    headers: HeaderMap,
) -> Response {
    let act = |world: &mut World| match world.reservations.get_mut(&order) {
        None => problem(404, "unknown_reservation"),
        Some(("released", _)) => problem(409, "reservation_released"),
        Some(("expired", _)) => problem(409, "reservation_expired"),
        Some((state, items)) => {
            if *state == "held" {
                *state = "confirmed";
                for (id, quantity) in items.iter() {
                    *world.sold.entry(*id).or_default() += quantity;
                }
            }
            reservation(&order, 200, state, items)
        }
    };
    peers.answer("confirm", "inventory", &headers, act).await
}

async fn release(
    State(peers): State<Peers>,
    Path(order): Path<String>,
    headers: HeaderMap,
) -> Response {
    let act = |world: &mut World| {
        let kept = world.reservations.entry(order.clone());
        let (state, items) = kept.or_insert(("released", Vec::new()));
        match *state {
            "confirmed" => return problem(409, "reservation_confirmed"),
            "held" => {
                for (id, quantity) in items.iter() {
                    *world.on_hand.get_mut(id).unwrap() += quantity;
                }
            }
            _ => {}
        }
        *state = "released";
        reservation(&order, 200, state, items)
    };
    peers.answer("release", "inventory", &headers, act).await
}

async fn charge(
    State(peers): State<Peers>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let act = |world: &mut World| {
        if body["order_id"] != key.as_str() || !body["member_id"].is_string() {
            world.broken.push(format!("charge of {body}"));
        }
        let amount = body["amount"]["amount"].as_i64().unwrap();
        match world.charges.get(&key) {
            Some(Charge::Voided | Charge::Refunded) => problem(409, "charge_voided"),
            before => {
                if before.is_none() {
                    world.book.push((key.clone(), amount));
                    world.charges.insert(key.clone(), Charge::Captured);
                }
                let reference = format!("bank-{key}");
                let body = json!({ "key": key, "state": "captured", "amount": body["amount"],
                    "reference": reference });
                json_of(200, &body)
            }
        }
    };
    peers.answer("charge", "payments", &headers, act).await
}

async fn refund(
    State(peers): State<Peers>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Response {
    let act = |world: &mut World| {
        let after = match world.charges.get(&key) {
            Some(Charge::Captured) => {
                let charged = world.book.iter().find(|(of, _)| *of == key);
                let amount = charged.map(|(_, amount)| *amount).unwrap();
                world.book.push((key.clone(), -amount));
                Charge::Refunded
            }
            Some(Charge::Refunded) => Charge::Refunded,
            Some(Charge::Voided) | None => Charge::Voided,
        };
        world.charges.insert(key.clone(), after);
        let state = match after {
            Charge::Refunded => "refunded",
            _ => "voided",
        };
        json_of(200, &json!({ "key": key, "state": state }))
    };
    peers.answer("refund", "payments", &headers, act).await
}
