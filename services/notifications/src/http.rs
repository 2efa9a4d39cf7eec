//! Routes and wire types.

use app::auth::{Member, Operator};
use app::extract::{Json, Query};
use app::page::{ListQuery, Page, and_one};
use app::{Live, Problem, Timestamp};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::Settings;
use crate::domain::{Kind, Words};
use crate::store::{Notification, Store};

/// Most notifications on a page for operators, and as many as there are when nothing is said.
const OPERATORS_PAGE: usize = 1_000;

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) settings: Live<Settings>,
}

pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/api/notifications", get(own))
        .route("/inner/v1/notifications", get(all))
        .with_state(desk)
}

#[derive(OpenApi)]
#[openapi(
    info(description = "What members are told about what happens in the city."),
    paths(own, all)
)]
pub(crate) struct Api;

/// A notification, as its member sees it.
#[derive(Debug, Serialize, ToSchema)]
struct Told {
    /// UUIDv7.
    id: Uuid,
    kind: Kind,
    /// The order; of a welcome, the member.
    about: Uuid,
    text: Words,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was sent; null while it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Timestamp>,
}

/// A notification, as those who run the city see it.
#[derive(Debug, Serialize, ToSchema)]
struct Entry {
    /// UUIDv7.
    id: Uuid,
    kind: Kind,
    /// The order; of a welcome, the member.
    about: Uuid,
    member_id: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was sent; null while it is not.
    #[schema(value_type = Option<String>, format = DateTime)]
    sent_at: Option<Timestamp>,
    /// When it was given up; null unless it was.
    #[schema(value_type = Option<String>, format = DateTime)]
    given_up_at: Option<Timestamp>,
    /// How often its sending was begun.
    attempts: i64,
    /// What came of the last attempt, in a word, unless it was sent.
    reason: Option<String>,
}

impl From<Notification> for Told {
    fn from(row: Notification) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            about: row.about,
            text: row.text,
            created_at: row.created_at,
            sent_at: row.sent_at,
        }
    }
}

impl From<Notification> for Entry {
    fn from(row: Notification) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            about: row.about,
            member_id: row.member_id,
            created_at: row.created_at,
            sent_at: row.sent_at,
            given_up_at: row.given_up_at,
            attempts: row.attempts,
            reason: row.reason,
        }
    }
}

/// What the member was told, newest first.
#[utoipa::path(get, path = "/api/notifications", tag = "notifications", params(ListQuery), responses(
    (status = 200, description = "One page", body = Page<Told>),
    (status = 400, description = "`invalid_query`, `invalid_limit`, `invalid_cursor`",
        content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
))]
async fn own(
    Member(member): Member,
    State(desk): State<Desk>,
    Query(wanted): Query<ListQuery>,
) -> Result<Json<Page<Told>>, Problem> {
    let settings = desk.settings.load();
    let (before, limit) = wanted.read(settings.page_size, settings.page_size_max)?;
    let rows = desk.store.of_member(&member.sub, before, and_one(limit));
    let page = Page::by_id(rows.await?, limit, |row| row.id);
    Ok(Json(page.map(Told::from)))
}

/// What everybody was told, newest first.
#[utoipa::path(get, path = "/inner/v1/notifications", tag = "inner", params(ListQuery), responses(
    (status = 200, description = "One page", body = Page<Entry>),
    (status = 400, description = "`invalid_query`, `invalid_limit`, `invalid_cursor`",
        content_type = "application/problem+json"),
    (status = 401, description = "No operator token", content_type = "application/problem+json"),
))]
async fn all(
    _: Operator,
    State(desk): State<Desk>,
    Query(wanted): Query<ListQuery>,
) -> Result<Json<Page<Entry>>, Problem> {
    let (before, limit) = wanted.read(OPERATORS_PAGE, OPERATORS_PAGE)?;
    let rows = desk.store.all(before, and_one(limit)).await?;
    Ok(Json(
        Page::by_id(rows, limit, |row| row.id).map(Entry::from),
    ))
}
