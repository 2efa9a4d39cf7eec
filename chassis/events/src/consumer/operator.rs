//! What operators see of a service's events, and do about those that failed.

use std::sync::Arc;

use app::auth::Operator;
use app::extract::{Json, Path, Query};
use app::page::{self, Page};
use app::{Problem, Timestamp, detached, with_causes};
use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, post};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use stores::sql::{Sql, StoreError, Transaction};
use tokio::sync::Notify;
use utoipa::{OpenApi, ToSchema};

use super::Handle;
use super::cursor::Cursors;
use super::parked::{Found, Letter, Lot, State as Parked};
use super::status::Status;
use crate::{Event, Failure, Outbox};

/// Items of a page: unless the request says, and at most.
const USUAL_LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;
/// The form of cursors.
const CURSOR: u8 = 1;

/// A feed that this service follows.
#[derive(Clone)]
pub(super) struct Followed {
    pub(super) cursors: Cursors,
    pub(super) handler: Arc<dyn Handle>,
    pub(super) nudge: Arc<Notify>,
}

/// Why an operator's wish is not fulfilled.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("no such event")]
    UnknownEvent,
    #[error("an earlier event comes first")]
    EventWaits,
    #[error("no such feed")]
    UnknownFeed,
    #[error("not rebuildable: {0}")]
    NotRebuildable(String),
    #[error("not now: {0}")]
    NotNow(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let (status, code, title) = match &refused {
            Refused::UnknownEvent => (
                StatusCode::NOT_FOUND,
                "unknown_event",
                "No event with this id has failed",
            ),
            Refused::EventWaits => (
                StatusCode::CONFLICT,
                "event_waits",
                "An earlier event of the subject has to be dealt with first",
            ),
            Refused::UnknownFeed => (
                StatusCode::NOT_FOUND,
                "unknown_feed",
                "The service follows no such feed",
            ),
            Refused::NotRebuildable(_) => (
                StatusCode::CONFLICT,
                "not_rebuildable",
                "What the service does with these events cannot be done again",
            ),
            Refused::NotNow(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "not_now",
                "Try again later",
            ),
            Refused::Store(error) => return Problem::internal(with_causes(error)),
        };
        tracing::info!(
            code,
            reason = with_causes(&refused),
            "an operator was refused"
        );
        Problem::new(status, code, title)
    }
}

#[derive(Clone)]
pub(super) struct Desk {
    pub(super) service: &'static str,
    pub(super) sql: Sql,
    pub(super) outbox: Outbox,
    pub(super) lot: Lot,
    pub(super) followed: Arc<[Followed]>,
}

/// The operators' interface to a service's events, to be merged into the service's own.
#[derive(OpenApi)]
#[openapi(paths(overview, dead, replay, give_up, rebuild))]
pub struct EventsApi;

pub(super) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/inner/v1/events", get(overview))
        .route("/inner/v1/events/dead", get(dead))
        .route("/inner/v1/events/dead/{event_id}", delete(give_up))
        .route("/inner/v1/events/dead/{event_id}/replay", post(replay))
        .route("/inner/v1/events/feeds/{feed}/rebuild", post(rebuild))
        .with_state(desk)
}

/// The events of a service.
#[derive(Serialize, ToSchema)]
struct Overview {
    /// Which service.
    service: &'static str,
    outbox: OutboxState,
    /// The feeds that it follows.
    consumers: Vec<ConsumerState>,
}

/// What it publishes.
#[derive(Serialize, ToSchema)]
struct OutboxState {
    /// Position of the newest event.
    head: i64,
    /// Events that others can read.
    kept: i64,
    /// Events that have no position yet.
    unpublished: i64,
    /// How long the oldest of those has waited for one.
    oldest_unpublished_seconds: f64,
}

/// How far it is in the feed of another service.
#[derive(Serialize, ToSchema)]
struct ConsumerState {
    /// The service that publishes.
    feed: &'static str,
    /// Of the last event that it came to.
    position: i64,
    /// Of the newest event, as far as it has heard.
    head: i64,
    /// Events that it has not come to.
    lag_events: i64,
    /// Age of the oldest of those.
    lag_seconds: f64,
    /// Events that failed and are tried again.
    retrying: i64,
    /// Events that wait behind those of their subject.
    waiting: i64,
    /// Events that failed for the last time.
    dead: i64,
    /// Why it cannot go on until it is rebuilt.
    stalled: Option<String>,
}

/// An event that failed.
#[derive(Serialize, ToSchema)]
struct DeadLetter {
    event_id: String,
    /// The service that published it.
    feed: String,
    /// What it is about.
    subject: String,
    /// Its type.
    #[schema(example = "orders.OrderConfirmed.v1")]
    r#type: String,
    /// `retrying` or `dead`.
    state: Parked,
    /// How often it was tried.
    attempts: u32,
    /// Why it failed, the last time.
    reason: Option<String>,
    /// When it failed first.
    #[schema(value_type = Option<String>, format = DateTime)]
    first_failed_at: Option<Timestamp>,
    /// How many events of its subject wait behind it.
    waiting: i64,
    /// The event as it came: a CloudEvent.
    #[schema(value_type = Object)]
    event: Event,
}

impl From<Letter> for DeadLetter {
    fn from(letter: Letter) -> Self {
        Self {
            event_id: letter.event.id.clone(),
            feed: letter.feed,
            subject: letter.event.subject.clone(),
            r#type: letter.event.kind.clone(),
            state: letter.state,
            attempts: letter.attempts,
            reason: letter.reason,
            first_failed_at: letter.first_failed_at,
            waiting: letter.waiting,
            event: letter.event,
        }
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
struct Listed {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Items of the page, at most 500.
    limit: Option<usize>,
}

/// What the service publishes, and how far it is in the feeds that it follows.
#[utoipa::path(get, path = "/inner/v1/events", tag = "events", responses(
    (status = 200, description = "Its events", body = Overview),
    (status = 401, description = "Not the operator", content_type = "application/problem+json"),
))]
async fn overview(_: Operator, State(desk): State<Desk>) -> Result<Json<Overview>, Problem> {
    Ok(Json(desk.overview().await?))
}

/// Lists the events that failed and were put aside, by ascending id; those that wait behind them are
/// counted.
#[utoipa::path(get, path = "/inner/v1/events/dead", tag = "events", params(Listed), responses(
    (status = 200, description = "One page", body = Page<DeadLetter>),
    (status = 400, description = "`invalid_query`, `invalid_limit`, `invalid_cursor`",
        content_type = "application/problem+json"),
    (status = 401, description = "Not the operator", content_type = "application/problem+json"),
))]
async fn dead(
    _: Operator,
    State(desk): State<Desk>,
    Query(wanted): Query<Listed>,
) -> Result<Json<Page<DeadLetter>>, Problem> {
    let limit = page::limit(wanted.limit, USUAL_LIMIT, MAX_LIMIT)?;
    let after = match &wanted.cursor {
        Some(cursor) => page::position::<String>(CURSOR, cursor)?,
        None => String::new(),
    };
    let letters = desk.lot.letters(&after, limit + 1).await;
    let mut letters = letters.map_err(Refused::from)?;
    let more = letters.len() > limit;
    letters.truncate(limit);
    let last = letters.last().filter(|_| more);
    let next_cursor = last.map(|last| page::cursor(CURSOR, &last.event.id));
    let items = letters.into_iter().map(DeadLetter::from).collect();
    Ok(Json(Page { items, next_cursor }))
}

/// Has an event that failed tried again at once. Its attempts go on in its trace; if it fails once
/// more, a dead letter is one again.
#[utoipa::path(post, path = "/inner/v1/events/dead/{event_id}/replay", tag = "events",
    params(("event_id" = String, Path, description = "Id of the event")), responses(
    (status = 202, description = "It is tried"),
    (status = 401, description = "Not the operator", content_type = "application/problem+json"),
    (status = 404, description = "`unknown_event`", content_type = "application/problem+json"),
    (status = 409, description = "`event_waits`: one before it has to be dealt with first",
        content_type = "application/problem+json"),
))]
async fn replay(
    _: Operator,
    State(desk): State<Desk>,
    Path(event_id): Path<String>,
) -> Result<StatusCode, Problem> {
    detached(async move { desk.replay(&event_id).await }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Gives an event up: it never has its effect, and its subject goes on.
#[utoipa::path(delete, path = "/inner/v1/events/dead/{event_id}", tag = "events",
    params(("event_id" = String, Path, description = "Id of the event")), responses(
    (status = 204, description = "It is gone"),
    (status = 401, description = "Not the operator", content_type = "application/problem+json"),
    (status = 404, description = "`unknown_event`", content_type = "application/problem+json"),
))]
async fn give_up(
    _: Operator,
    State(desk): State<Desk>,
    Path(event_id): Path<String>,
) -> Result<StatusCode, Problem> {
    detached(async move { desk.give_up(&event_id).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Empties what was built from a feed's events, and begins anew from the oldest that is kept.
#[utoipa::path(post, path = "/inner/v1/events/feeds/{feed}/rebuild", tag = "events",
    params(("feed" = String, Path, description = "The service that publishes")), responses(
    (status = 202, description = "It is rebuilt"),
    (status = 401, description = "Not the operator", content_type = "application/problem+json"),
    (status = 404, description = "`unknown_feed`", content_type = "application/problem+json"),
    (status = 409, description = "`not_rebuildable`: what the service does with these events cannot \
        be done again", content_type = "application/problem+json"),
    (status = 503, description = "`not_now`", content_type = "application/problem+json"),
))]
async fn rebuild(
    _: Operator,
    State(desk): State<Desk>,
    Path(feed): Path<String>,
) -> Result<StatusCode, Problem> {
    detached(async move { desk.rebuild(&feed).await }).await?;
    Ok(StatusCode::ACCEPTED)
}

impl Desk {
    async fn overview(&self) -> Result<Overview, Refused> {
        let store = self.outbox.store();
        let (head, unpublished) = store.look().await?;
        let mut consumers = Vec::with_capacity(self.followed.len());
        for followed in &*self.followed {
            consumers.push(self.consumer(followed).await?);
        }
        Ok(Overview {
            service: self.service,
            outbox: OutboxState {
                head: head.position,
                kept: head.position - head.truncated_position,
                unpublished: unpublished.events,
                oldest_unpublished_seconds: unpublished
                    .oldest
                    .map_or(0.0, |oldest| oldest.elapsed().as_secs_f64()),
            },
            consumers,
        })
    }

    async fn replay(&self, event_id: &str) -> Result<(), Refused> {
        let mut tx = self.sql.begin_write().await?;
        let (followed, failed) = self.find(&mut tx, event_id).await?;
        if failed.state == Parked::Waiting {
            return Err(Refused::EventWaits);
        }
        self.lot.replay(&mut tx, event_id).await?;
        tx.commit().await?;
        let feed = followed.cursors.feed;
        tracing::info!(feed, event = event_id, "an operator replays an event");
        followed.nudge.notify_one();
        Ok(())
    }

    async fn give_up(&self, event_id: &str) -> Result<(), Refused> {
        let mut tx = self.sql.begin_write().await?;
        let (followed, failed) = self.find(&mut tx, event_id).await?;
        let feed = followed.cursors.feed;
        self.lot.remove(&mut tx, event_id).await?;
        if failed.state != Parked::Waiting {
            self.lot.advance(&mut tx, feed, &failed.subject).await?;
        }
        tx.commit().await?;
        let subject = failed.subject;
        tracing::warn!(
            feed,
            event = event_id,
            subject,
            "an operator gives an event up"
        );
        followed.nudge.notify_one();
        Ok(())
    }

    async fn rebuild(&self, feed: &str) -> Result<(), Refused> {
        let followed = self.followed(feed).ok_or(Refused::UnknownFeed)?;
        followed.cursors.born().await?;
        let mut tx = self.sql.begin_write().await?;
        // The cursor first: whoever is at work with the feed is then through, or finds it moved.
        followed.cursors.rewind(&mut tx).await?;
        let reset = followed.handler.reset(&mut tx).await;
        reset.map_err(|failure| match failure {
            Failure::Event(why) => Refused::NotRebuildable(why),
            Failure::Later(why) => Refused::NotNow(why),
        })?;
        self.lot.clear(&mut tx, feed).await?;
        tx.commit().await?;
        tracing::warn!(feed, "an operator has a feed rebuilt");
        followed.nudge.notify_one();
        Ok(())
    }

    /// A parked event of a feed whose cursor is held: nothing is parked meanwhile.
    async fn find(
        &self,
        tx: &mut Transaction,
        event_id: &str,
    ) -> Result<(&Followed, Found), Refused> {
        for followed in &*self.followed {
            let cursors = &followed.cursors;
            cursors.lock(tx).await?;
            if let Some(found) = self.lot.find(tx, cursors.feed, event_id).await? {
                return Ok((followed, found));
            }
        }
        Err(Refused::UnknownEvent)
    }

    fn followed(&self, feed: &str) -> Option<&Followed> {
        let mut all = self.followed.iter();
        all.find(|followed| followed.cursors.feed == feed)
    }

    /// As the store has it: any instance answers for all.
    async fn consumer(&self, followed: &Followed) -> Result<ConsumerState, StoreError> {
        let feed = followed.cursors.feed;
        let parked = self.lot.counts(feed).await?;
        let status = Status::new(feed);
        if let Some(cursor) = followed.cursors.read().await? {
            status.read(&cursor, parked);
        }
        let known = status.known();
        Ok(ConsumerState {
            feed,
            position: known.position,
            head: known.head,
            lag_events: known.lag_events(),
            lag_seconds: known.lag_seconds(),
            retrying: parked.retrying,
            waiting: parked.waiting,
            dead: parked.dead,
            stalled: known.stalled,
        })
    }
}
