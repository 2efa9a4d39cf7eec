//! The producer's side: it plays orders, by orders' own schema.

use std::time::{Duration, Instant};

use ::events::{Body, Events, Outbox, Position};
use app::extract::Json;
use app::{City, Parts, Problem, Service, StartError, Timestamp, with_causes};
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stores::sql::{self, Durability, Sql, Transaction};
use utoipa::OpenApi as _;
use uuid::Uuid;

pub(crate) const CONFIRMED: &str = "orders.OrderConfirmed.v1";
/// Different products that are ordered.
const PRODUCTS: u64 = 500;
const ITEMS: u64 = 3;

app::settings! {
    /// What it can be told.
    pub(crate) struct Settings {
        /// Where the orders are.
        boot store_url: String = "sqlite:played-orders.db".into(),
    }
}

pub(crate) struct Producer;

#[derive(utoipa::OpenApi)]
#[openapi()]
struct Api;

#[derive(Serialize)]
struct Confirmed {
    order_id: String,
    member_id: String,
    items: Vec<Value>,
    total: Value,
}

impl Body for Confirmed {
    const TYPE: &'static str = CONFIRMED;
}

impl Confirmed {
    /// An order of three products, the same for the same `number`.
    fn of(order_id: &str, number: u64) -> Self {
        let mut drawn = number;
        let items = (0..ITEMS).map(|_| {
            drawn = drawn
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let product = Uuid::from_u128(
                0x0197_0000_0000_7000_8000_0000_0000_0000 + u128::from((drawn >> 33) % PRODUCTS),
            );
            json!({
                "product_id": product,
                "name": { "ko": "부산 바다 엽서 세트", "en": "Postcards of the sea at Busan" },
                "quantity": 1 + drawn % 3,
                "price": { "amount": 12_900, "currency": "KRW" },
            })
        });
        Self {
            order_id: order_id.to_owned(),
            member_id: Uuid::from_u128(u128::from(number % 1000)).to_string(),
            items: items.collect(),
            total: json!({ "amount": 38_700, "currency": "KRW" }),
        }
    }
}

#[derive(Clone)]
struct Desk {
    sql: Sql,
    outbox: Outbox,
}

impl Service for Producer {
    const NAME: &'static str = "orders";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        Api::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let sql = sql::open(
            &city.telemetry,
            &city.settings.load().store_url,
            &city.common.load().data_dir,
            &sqlx::migrate!("../services/orders/migrations"),
            Durability::Full,
        )
        .await
        .map_err(StartError::new)?;
        let events = Events::open(&city, &sql).await.map_err(StartError::new)?;
        let events = events.feed_for(&["shipping", "recommendations"]);
        let desk = Desk {
            outbox: events.outbox(),
            sql,
        };
        let router = Router::new()
            .route("/one-by-one", post(one_by_one))
            .route("/many", post(many))
            .route("/confirm", post(confirm))
            .with_state(desk);
        Ok(events.into_parts(router))
    }
}

fn failed(error: impl std::error::Error + 'static) -> Problem {
    Problem::internal(with_causes(&error))
}

impl Desk {
    async fn publish(&self, tx: &mut Transaction, order: &str, number: u64) -> Result<(), Problem> {
        let body = Confirmed::of(order, number);
        self.outbox.publish(tx, order, &body).await.map_err(failed)
    }

    async fn run(
        &self,
        what: (&'static str, &'static str),
        query: sqlx::query::Query<'_, sqlx::Any, sqlx::any::AnyArguments>,
        tx: &mut Transaction,
    ) -> Result<(), Problem> {
        let done = self.sql.run(what.0, what.1, query.execute(&mut **tx)).await;
        done.map(drop).map_err(failed)
    }

    /// What is there before an order is confirmed.
    async fn place(&self, tx: &mut Transaction, order: &str) -> Result<(), Problem> {
        let query = sqlx::query("INSERT INTO orders (id, member_id) VALUES ($1, 'm')");
        self.run(("INSERT", "orders"), query.bind(order.to_owned()), tx)
            .await?;
        let query = sqlx::query(
            "INSERT INTO sagas (order_id, owner, due_at, attempts, started_at, trace, driven_by) \
             VALUES ($1, 'me', $2, 0, $2, '{}', '{}')",
        );
        let query = query.bind(order.to_owned()).bind(Timestamp::now().micros());
        self.run(("INSERT", "sagas"), query, tx).await?;
        let query = sqlx::query(
            "INSERT INTO idempotency_keys \
             (member_id, key, fingerprint, order_id, answer_by, expires_at) \
             VALUES ('m', $1, '', $1, 0, 0)",
        );
        self.run(
            ("INSERT", "idempotency_keys"),
            query.bind(order.to_owned()),
            tx,
        )
        .await
    }

    /// The transaction in which orders confirms an order: `Store::append` with the last event.
    async fn confirm(&self, order: &str, number: u64, tells: bool) -> Result<(), Problem> {
        let mut tx = self.sql.begin_write().await.map_err(failed)?;
        let query = sqlx::query(
            "INSERT INTO order_events (order_id, seq, at, event) VALUES ($1, $2, $3, $4)",
        );
        let query = query
            .bind(order.to_owned())
            .bind(1_i64)
            .bind(Timestamp::now().micros())
            .bind(r#"{"kind":"confirmed"}"#);
        self.run(("INSERT", "order_events"), query, &mut tx).await?;
        let query = sqlx::query(
            "UPDATE idempotency_keys SET status = $1, body = $2 \
             WHERE order_id = $3 AND status IS NULL",
        );
        let body = serde_json::to_string(&Confirmed::of(order, number)).map_err(failed)?;
        let query = query.bind(201_i64).bind(body).bind(order.to_owned());
        self.run(("UPDATE", "idempotency_keys"), query, &mut tx)
            .await?;
        let query = sqlx::query("DELETE FROM sagas WHERE order_id = $1");
        self.run(("DELETE", "sagas"), query.bind(order.to_owned()), &mut tx)
            .await?;
        if tells {
            self.publish(&mut tx, order, number).await?;
        }
        tx.commit().await.map_err(failed)
    }

    /// Returns when everything that is published has its position.
    async fn numbered(&self, position: i64) -> Result<(), Problem> {
        let mut at = self.outbox.head().await.map_err(failed)?;
        while at.number() < position {
            let read = self.outbox.read(at, 1_000, Duration::from_secs(1)).await;
            at = read.map_err(failed)?.head.max(at);
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct OneByOne {
    events: u64,
    /// Between two, in milliseconds.
    gap_ms: u64,
}

/// Publishes one after the other; when each was committed.
async fn one_by_one(
    State(desk): State<Desk>,
    Json(order): Json<OneByOne>,
) -> Result<Json<Vec<(String, i64)>>, Problem> {
    let mut committed = Vec::new();
    for number in 0..order.events {
        let id = Uuid::now_v7().to_string();
        let mut tx = desk.sql.begin_write().await.map_err(failed)?;
        desk.publish(&mut tx, &id, number).await?;
        tx.commit().await.map_err(failed)?;
        committed.push((id, Timestamp::now().micros()));
        // In no step with anything that happens each so many milliseconds.
        let gap = order.gap_ms * 1_000 * (50 + number * 37 % 101) / 100;
        tokio::time::sleep(Duration::from_micros(gap)).await;
    }
    Ok(Json(committed))
}

#[derive(Deserialize)]
struct Many {
    events: u64,
    /// Events of one transaction.
    at_once: u64,
    writers: u64,
}

/// Publishes as fast as it can; where the feed ends then.
async fn many(State(desk): State<Desk>, Json(order): Json<Many>) -> Result<Json<i64>, Problem> {
    let before = desk.outbox.head().await.map_err(failed)?;
    let writers = (0..order.writers).map(|writer| {
        let desk = desk.clone();
        let (at_once, share) = (order.at_once, order.events / order.writers);
        async move {
            let mut written = 0;
            while written < share {
                let mut tx = desk.sql.begin_write().await.map_err(failed)?;
                for number in written..share.min(written + at_once) {
                    let id = Uuid::now_v7().to_string();
                    desk.publish(&mut tx, &id, writer * share + number).await?;
                }
                tx.commit().await.map_err(failed)?;
                written += at_once;
            }
            Ok::<_, Problem>(i64::try_from(share).unwrap_or_default())
        }
    });
    let written = futures_util::future::try_join_all(writers).await?;
    let end = before.number() + written.iter().sum::<i64>();
    desk.numbered(end).await?;
    Ok(Json(end))
}

#[derive(Deserialize)]
struct Confirming {
    orders: u64,
    writers: u64,
    /// Whether an event is published.
    tells: bool,
}

/// Confirms so many orders; the seconds that it took, until each event has its position.
async fn confirm(
    State(desk): State<Desk>,
    Json(order): Json<Confirming>,
) -> Result<Json<f64>, Problem> {
    let placed: Vec<_> = (0..order.orders)
        .map(|_| Uuid::now_v7().to_string())
        .collect();
    let mut tx = desk.sql.begin_write().await.map_err(failed)?;
    for id in &placed {
        desk.place(&mut tx, id).await?;
    }
    tx.commit().await.map_err(failed)?;
    let before: Position = desk.outbox.head().await.map_err(failed)?;
    let begun = Instant::now();
    let share = placed
        .len()
        .div_ceil(usize::try_from(order.writers).unwrap_or(1));
    let writers = placed.chunks(share).map(|ids| {
        let desk = desk.clone();
        async move {
            for (number, id) in ids.iter().enumerate() {
                desk.confirm(id, number as u64, order.tells).await?;
            }
            Ok::<_, Problem>(())
        }
    });
    futures_util::future::try_join_all(writers).await?;
    if order.tells {
        let all = i64::try_from(placed.len()).unwrap_or_default();
        desk.numbered(before.number() + all).await?;
    }
    Ok(Json(begun.elapsed().as_secs_f64()))
}
