//! `GET /inner/v1/feed`, by the conventions of [http-feeds.org](https://www.http-feeds.org).

use std::time::Duration;

use app::auth::ServiceCaller;
use app::extract::Query;
use app::{Problem, with_causes};
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use faults::Point;
use http::{HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::{Batch, Outbox, Position, ReadError};

/// Where the newest event stands: with each answer of the feed.
pub(crate) const HEAD: &str = "citywatch-feed-head";
/// The media type of a batch.
pub(crate) const BATCH: &str = "application/cloudevents-batch+json";

/// Longest that an answer is held back. A caller's own patience is longer.
const MAX_WAIT: Duration = Duration::from_secs(15);
/// Events of a batch: unless the caller says, and at most.
const USUAL_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

#[derive(Clone)]
pub(crate) struct Feed {
    pub(crate) outbox: Outbox,
    pub(crate) readers: &'static [&'static str],
    pub(crate) send: Point,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct From {
    last_event_id: Option<String>,
    timeout: Option<u64>,
    limit: Option<usize>,
}

pub(crate) fn route(feed: Feed) -> Router {
    Router::new()
        .route("/inner/v1/feed", get(read))
        .with_state(feed)
}

async fn read(
    State(feed): State<Feed>,
    caller: ServiceCaller,
    Query(from): Query<From>,
) -> Result<Response, Problem> {
    caller.one_of(feed.readers)?;
    let limit = app::page::limit(from.limit, USUAL_LIMIT, MAX_LIMIT)?;
    let wait = Duration::from_millis(from.timeout.unwrap_or(0)).min(MAX_WAIT);
    let batch = loop {
        let after = position(&feed.outbox, from.last_event_id.as_deref()).await?;
        match feed.outbox.read(after, limit, wait).await {
            Ok(batch) => break batch,
            // The oldest kept is a later one by now, and nobody has asked for those that went.
            Err(ReadError::Truncated) if from.last_event_id.is_none() => {}
            Err(ReadError::Truncated) => return Err(truncated()),
            Err(ReadError::Store(error)) => return Err(Problem::internal(with_causes(&error))),
        }
    };
    feed.send.pass().await?;
    answer(&batch)
}

/// Behind which position the caller wants to read.
async fn position(outbox: &Outbox, last_event_id: Option<&str>) -> Result<Position, Problem> {
    let failed = |error| Problem::internal(with_causes(&error));
    let store = outbox.store();
    if let Some(id) = last_event_id
        && let Some(position) = store.position_of(id).await.map_err(failed)?
    {
        return Ok(position);
    }
    let head = store.head().await.map_err(failed)?;
    let boundary = Position::new(head.truncated_position);
    match last_event_id {
        None => Ok(boundary),
        Some(id) if head.truncated_id.as_deref() == Some(id) => Ok(boundary),
        Some(_) => Err(truncated()),
    }
}

fn answer(batch: &Batch) -> Result<Response, Problem> {
    let body = serde_json::to_vec(&batch.events).map_err(Problem::internal)?;
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(BATCH));
    headers.insert(HEAD, HeaderValue::from(batch.head.number()));
    Ok(response)
}

fn truncated() -> Problem {
    Problem::new(
        StatusCode::GONE,
        "feed_truncated",
        "Events after `lastEventId` are no longer kept",
    )
    .detail("read what the service knows by its interface, then its feed from the beginning")
}
