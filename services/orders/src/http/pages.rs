//! Pages of orders, newest first.

use app::Problem;
use app::page::{self, Page};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::domain::Order;

/// What the position in a cursor is; changes with its form.
const CURSOR_VERSION: u8 = 1;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// How many orders a page has at most.
    #[param(minimum = 1)]
    pub limit: Option<usize>,
}

impl ListQuery {
    /// The order before which the page begins, and how many are wanted.
    pub(super) fn read(&self, usual: usize, most: usize) -> Result<(Option<Uuid>, usize), Problem> {
        let limit = page::limit(self.limit, usual, most)?;
        let before = self.cursor.as_deref();
        let before = before.map(|cursor| page::position(CURSOR_VERSION, cursor));
        Ok((before.transpose()?, limit))
    }
}

/// One page of orders, of which one more than `limit` was asked for.
pub(super) fn page_of(mut orders: Vec<Order>, limit: usize) -> Page<Order> {
    let more = orders.len() > limit;
    orders.truncate(limit);
    let last = orders.last().filter(|_| more);
    Page {
        next_cursor: last.map(|order| page::cursor(CURSOR_VERSION, &order.id)),
        items: orders,
    }
}

/// One more than the page holds, to see whether there is another.
pub(super) fn and_one(limit: usize) -> i64 {
    i64::try_from(limit).map_or(i64::MAX, |limit| limit.saturating_add(1))
}
