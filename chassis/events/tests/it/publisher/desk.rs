//! A service that writes notes and publishes each, and what a test does with it.

use std::time::Duration;

use app::auth::ServiceCaller;
use app::extract::{Json, Query};
use app::{City, Parts, Problem, Service, StartError, with_causes};
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use events::{Body, Event, Events, Outbox, Position, PublishError, ReadError};
use http::StatusCode;
use reqwest::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stores::sql::{self, Durability, Sql};
use testing::{Running, Town};
use utoipa::OpenApi as _;

app::settings! {
    /// What a test can tell it.
    pub(crate) struct Settings {
        /// Where the notes are.
        boot store_url: String = "sqlite:notes.db".into(),
    }
}

pub(crate) struct Notes;

#[derive(utoipa::OpenApi)]
#[openapi()]
struct Api;

#[derive(Serialize)]
struct NoteWritten {
    subject: String,
    number: i64,
    text: String,
}

impl Body for NoteWritten {
    const TYPE: &'static str = "orders.NoteWritten.v1";
}

#[derive(Clone)]
struct Desk {
    sql: Sql,
    outbox: Outbox,
}

impl Service for Notes {
    // A town has keys for the services of the city.
    const NAME: &'static str = "orders";
    const VERSION: &'static str = "1.2.3";
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        Api::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let sql = sql::open(
            &city.telemetry,
            &city.settings.load().store_url,
            &city.common.load().data_dir,
            &sqlx::migrate!("tests/it/publisher/migrations"),
            Durability::Normal,
        )
        .await
        .map_err(|error| StartError::new(with_causes(&error)))?;
        let events = Events::open(&city, &sql)
            .await
            .map_err(|error| StartError::new(with_causes(&error)))?
            .publishes::<NoteWritten>()
            .feed_for(&["shipping", "notifications"]);
        let desk = Desk {
            outbox: events.outbox(),
            sql,
        };
        let router = Router::new()
            .route("/notes", post(write))
            .route("/inner/v1/replica", get(replica))
            .route("/inner/v1/head", get(head))
            .with_state(desk);
        Ok(events.into_parts(router))
    }
}

#[derive(Deserialize)]
struct Order {
    subject: String,
    number: i64,
    #[serde(default)]
    text: String,
    /// Times that it is published: more than once in one transaction.
    #[serde(default = "one")]
    times: i64,
    /// Publish, and then think better of it.
    #[serde(default)]
    undo: bool,
}

fn one() -> i64 {
    1
}

async fn write(State(desk): State<Desk>, Json(order): Json<Order>) -> Result<StatusCode, Problem> {
    let failed = |error| Problem::internal(with_causes(&error));
    let mut tx = desk.sql.begin_write().await.map_err(failed)?;
    for number in order.number..order.number + order.times {
        let note = sqlx::query("INSERT INTO notes (subject, number) VALUES ($1, $2)")
            .bind(order.subject.clone())
            .bind(number)
            .execute(&mut *tx);
        desk.sql
            .run("INSERT", "notes", note)
            .await
            .map_err(failed)?;
        let body = NoteWritten {
            subject: order.subject.clone(),
            number,
            text: order.text.clone(),
        };
        match desk.outbox.publish(&mut tx, &order.subject, &body).await {
            Ok(()) => {}
            Err(PublishError::TooLarge(_)) => return Ok(StatusCode::PAYLOAD_TOO_LARGE),
            Err(error) => return Err(Problem::internal(with_causes(&error))),
        }
    }
    if order.undo {
        tx.rollback().await.map_err(failed)?;
        return Ok(StatusCode::CONFLICT);
    }
    tx.commit().await.map_err(failed)?;
    Ok(StatusCode::CREATED)
}

#[derive(Deserialize)]
struct Reading {
    after: i64,
    wait_ms: u64,
}

async fn replica(
    State(desk): State<Desk>,
    _: ServiceCaller,
    Query(reading): Query<Reading>,
) -> Result<Json<Value>, Problem> {
    let wait = Duration::from_millis(reading.wait_ms);
    let after = Position::new(reading.after);
    match desk.outbox.read(after, 100, wait).await {
        Ok(batch) => Ok(Json(json!({
            "events": batch.events,
            "head": batch.head.number(),
            "end": batch.end(after).number(),
        }))),
        Err(ReadError::Truncated) => Ok(Json(json!("truncated"))),
        Err(error) => Err(Problem::internal(with_causes(&error))),
    }
}

async fn head(State(desk): State<Desk>, _: ServiceCaller) -> Result<Json<i64>, Problem> {
    let head = desk.outbox.head().await;
    let head = head.map_err(|error| Problem::internal(with_causes(&error)))?;
    Ok(Json(head.number()))
}

pub(crate) async fn open() -> Running {
    testing::start::<Notes>(json!({})).await
}

/// Writes a note that is to be published; the status.
pub(crate) async fn write_note(notes: &Running, order: Value) -> u16 {
    let url = format!("{}/notes", notes.url);
    let request = notes.http.post(url).json(&order);
    request.send().await.unwrap().status().as_u16()
}

/// Writes note `number` about `subject`.
pub(crate) async fn publish(notes: &Running, subject: &str, number: i64) {
    let order = json!({ "subject": subject, "number": number });
    assert_eq!(write_note(notes, order).await, 201);
}

/// What the feed answers to shipping.
pub(crate) async fn ask(notes: &Running, query: &str) -> Response {
    let url = format!("{}/inner/v1/feed?{query}", notes.url);
    let token = notes.town().service_token("shipping", "orders");
    let request = notes.http.get(url).bearer_auth(token);
    request.send().await.unwrap()
}

/// The events of an answer of the feed.
pub(crate) async fn events(answer: Response) -> Vec<Event> {
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

/// Reads the feed from its beginning, as a consumer does, until it has so many events.
pub(crate) async fn follow(notes: &Running, until: usize) -> Vec<Event> {
    follow_from(notes, None, until).await
}

/// The same, behind an event.
pub(crate) async fn follow_from(
    notes: &Running,
    mut last: Option<String>,
    until: usize,
) -> Vec<Event> {
    let mut all = Vec::new();
    let read = async {
        while all.len() < until {
            let mut query = "timeout=15000&limit=7".to_owned();
            if let Some(last) = &last {
                query.push_str(&format!("&lastEventId={last}"));
            }
            all.extend(events(ask(notes, &query).await).await);
            last = all.last().map(|event: &Event| event.id.clone()).or(last);
        }
    };
    let read = tokio::time::timeout(Duration::from_secs(60), read).await;
    read.unwrap_or_else(|_| panic!("{} events of {until}", all.len()));
    all
}

/// The numbers that events of a subject tell, in their order.
pub(crate) fn numbers(events: &[Event], subject: &str) -> Vec<i64> {
    let of = events.iter().filter(|event| event.subject == subject);
    of.map(|event| event.data::<Value>().unwrap()["number"].as_i64().unwrap())
        .collect()
}

/// What the replica's way answers.
pub(crate) async fn read_replica(notes: &Running, after: i64, wait_ms: u64) -> Value {
    inner(notes, &format!("replica?after={after}&wait_ms={wait_ms}")).await
}

/// How far the feed is.
pub(crate) async fn head_of(notes: &Running) -> i64 {
    inner(notes, "head").await.as_i64().unwrap()
}

async fn inner(notes: &Running, path: &str) -> Value {
    let url = format!("{}/inner/v1/{path}", notes.url);
    let token = notes.town().service_token("shipping", "orders");
    let answer = notes.http.get(url).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

/// Arms a fault that strikes once.
pub(crate) async fn arm(notes: &Running, point: &str, action: &str) {
    let fault = json!({ "action": action, "lease_ms": 60_000, "count": 1 });
    let url = format!("{}/faults/{point}", notes.admin_url);
    let request = notes.http.put(url).json(&fault);
    let request = request.bearer_auth(notes.town().operator_token());
    assert_eq!(request.send().await.unwrap().status(), 200, "{point}");
}

/// Three instances on one store.
pub(crate) async fn replicas() -> [Running; 3] {
    let town = Town::new();
    [
        town.start::<Notes>(json!({})).await,
        town.start::<Notes>(json!({})).await,
        town.start::<Notes>(json!({})).await,
    ]
}
