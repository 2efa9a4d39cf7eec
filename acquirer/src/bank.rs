//! The bank's interface.

use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::Moods;
use crate::book::{Book, Charge, Refusal};
use crate::moods::Fate;

/// Largest body that is read.
const BODY: usize = 4_096;
/// Longest reference, in characters.
const REFERENCE: usize = 255;

#[derive(Clone)]
pub(crate) struct Bank {
    book: Book,
    moods: Arc<RwLock<Moods>>,
    token: Arc<str>,
}

/// Marks an answer that is never sent: the connection is cut instead.
#[derive(Clone, Copy)]
pub(crate) struct Cut;

pub(crate) fn router(book: Book, moods: Moods, token: &str) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/charges", post(charge).get(by_reference))
        .route("/charges/{id}/refunds", post(refund))
        .route("/book", get(whole_book))
        .route("/settings", get(settings).put(set))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(Bank {
            book,
            moods: Arc::new(RwLock::new(moods)),
            token: token.into(),
        })
}

impl Bank {
    fn moods(&self) -> Moods {
        *self.moods.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `work` as the present mood lets it, to its end even if whoever asked hangs up: a
    /// request that has arrived is dealt with.
    async fn attend<F>(&self, may_decline: bool, work: F) -> Response
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let moods = self.moods();
        let attended = tokio::spawn(async move {
            tokio::time::sleep(moods.delay()).await;
            match moods.fate() {
                Fate::HangBefore => None,
                Fate::FailBefore => Some(failure()),
                Fate::Declined if may_decline => {
                    Some(refused(StatusCode::PAYMENT_REQUIRED, "declined"))
                }
                Fate::Declined | Fate::Fair => Some(work.await),
                Fate::HangAfter => {
                    work.await;
                    None
                }
                Fate::FailAfter => {
                    work.await;
                    Some(failure())
                }
            }
        });
        match attended.await {
            Ok(Some(answer)) => answer,
            Ok(None) => std::future::pending().await,
            Err(_) => failure(),
        }
    }
}

#[derive(Deserialize)]
struct ChargeOrder {
    reference: String,
    amount: i64,
    currency: String,
}

#[derive(Serialize)]
struct ChargeAnswer {
    #[serde(flatten)]
    charge: Charge,
    status: &'static str,
}

impl From<Charge> for ChargeAnswer {
    fn from(charge: Charge) -> Self {
        let status = match charge.refunded {
            true => "refunded",
            false => "captured",
        };
        Self { charge, status }
    }
}

async fn charge(State(bank): State<Bank>, body: Bytes) -> Response {
    let Ok(order) = serde_json::from_slice::<ChargeOrder>(&body) else {
        return refused(StatusCode::BAD_REQUEST, "invalid_charge");
    };
    let is_code = |text: &str| text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    let length = order.reference.chars().count();
    if order.amount <= 0 || !is_code(&order.currency) || length == 0 || length > REFERENCE {
        return refused(StatusCode::UNPROCESSABLE_ENTITY, "invalid_charge");
    }
    let book = bank.book.clone();
    bank.attend(true, async move {
        let charged = book.charge(order.reference, order.amount, order.currency);
        created(charged.await)
    })
    .await
}

async fn refund(State(bank): State<Bank>, Path(id): Path<Uuid>) -> Response {
    let book = bank.book.clone();
    bank.attend(false, async move { created(book.refund(id).await) })
        .await
}

#[derive(Deserialize)]
struct ByReference {
    reference: String,
}

async fn by_reference(State(bank): State<Bank>, Query(query): Query<ByReference>) -> Response {
    let book = bank.book.clone();
    let look = async move {
        let charges = book.by_reference(&query.reference);
        let charges: Vec<_> = charges.into_iter().map(ChargeAnswer::from).collect();
        Json(json!({ "charges": charges })).into_response()
    };
    // It does nothing that it could fail after.
    let moods = bank.moods();
    tokio::time::sleep(moods.delay()).await;
    match moods.fate() {
        Fate::HangBefore => std::future::pending().await,
        Fate::FailBefore => failure(),
        _ => look.await,
    }
}

async fn whole_book(State(bank): State<Bank>) -> Response {
    let read = tokio::task::spawn_blocking(move || bank.book.lines());
    match read.await {
        Ok(Ok(lines)) => ([(header::CONTENT_TYPE, "application/jsonl")], lines).into_response(),
        _ => refused(StatusCode::INTERNAL_SERVER_ERROR, "book_unreadable"),
    }
}

async fn settings(State(bank): State<Bank>) -> Json<Moods> {
    Json(bank.moods())
}

async fn set(State(bank): State<Bank>, headers: HeaderMap, body: Bytes) -> Response {
    let sent = headers.get(header::AUTHORIZATION);
    let sent = sent.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if bank.token.is_empty() || sent != Some(bank.token.as_bytes()) {
        return refused(StatusCode::UNAUTHORIZED, "invalid_token");
    }
    let moods = serde_json::from_slice::<Moods>(&body).map_err(|error| error.to_string());
    let moods = moods.and_then(|moods| moods.validated().map_err(|error| error.to_string()));
    match moods {
        Ok(moods) => {
            *bank.moods.write().unwrap_or_else(PoisonError::into_inner) = moods;
            Json(moods).into_response()
        }
        Err(why) => {
            let body = json!({ "error": "invalid_settings", "detail": why });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
    }
}

fn created(outcome: Result<Charge, Refusal>) -> Response {
    match outcome {
        Ok(charge) => (StatusCode::CREATED, Json(ChargeAnswer::from(charge))).into_response(),
        Err(Refusal::UnknownCharge) => refused(StatusCode::NOT_FOUND, "unknown_charge"),
        Err(Refusal::AlreadyRefunded) => refused(StatusCode::CONFLICT, "already_refunded"),
        Err(Refusal::Unwritten) => refused(StatusCode::INTERNAL_SERVER_ERROR, "unwritten"),
    }
}

fn refused(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

/// An answer that says nothing, or none at all.
fn failure() -> Response {
    let mut answer = refused(StatusCode::INTERNAL_SERVER_ERROR, "failed");
    if rand::random() {
        answer.extensions_mut().insert(Cut);
    }
    answer
}
