//! Routes and wire types.

mod admin;
mod ledger;
mod problems;
mod reservations;

use app::{Live, Problem, page};
use axum::Router;
use axum::routing::{get, post, put};
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};
use uuid::Uuid;

use crate::Settings;
use crate::metrics::Metrics;
use crate::store::Store;

const CURSOR_VERSION: u8 = 1;

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct Desk {
    pub store: Store,
    pub metrics: Metrics,
    pub settings: Live<Settings>,
}

pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route(
            "/inner/v1/reservations/{order_id}",
            put(reservations::reserve).delete(reservations::release),
        )
        .route(
            "/inner/v1/reservations/{order_id}/confirm",
            post(reservations::confirm),
        )
        .route("/inner/v1/reservations", get(ledger::reservations))
        .route("/inner/v1/stock", get(ledger::stock))
        .route("/api/admin/stock", get(admin::list))
        .route(
            "/api/admin/stock/{product_id}",
            get(admin::show).put(admin::adjust),
        )
        .with_state(desk)
}

#[derive(OpenApi)]
#[openapi(
    info(description = "Stock and the reservations held against it."),
    paths(
        reservations::reserve,
        reservations::confirm,
        reservations::release,
        ledger::reservations,
        ledger::stock,
        admin::list,
        admin::show,
        admin::adjust
    )
)]
pub(crate) struct Api;

/// Which page of a listing is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many rows a page has at most.
    #[param(minimum = 1)]
    limit: Option<usize>,
}

impl ListQuery {
    /// The last id of the page before, and how many rows are wanted.
    fn read(&self, settings: &Settings) -> Result<(Option<Uuid>, usize), Problem> {
        let limit = page::limit(self.limit, settings.page_size, settings.page_size_max)?;
        let after = self.cursor.as_deref();
        let after = after.map(|cursor| page::position(CURSOR_VERSION, cursor));
        Ok((after.transpose()?, limit))
    }
}

/// One more row than a page has shows that there is a next page.
fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// A page of at most `limit` of the rows.
fn paged<T>(mut rows: Vec<T>, limit: usize, id: impl Fn(&T) -> Uuid) -> page::Page<T> {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let last = rows.last().filter(|_| more);
    page::Page {
        next_cursor: last.map(|row| page::cursor(CURSOR_VERSION, &id(row))),
        items: rows,
    }
}
