//! Pages of a listing: `{items, next_cursor}`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::Problem;

/// Longest cursor that is looked at, in bytes.
const MAX_CURSOR: usize = 1024;

/// One page of a listing.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// What is on this page.
    pub items: Vec<T>,
    /// Pass it as `cursor` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

/// Version of the cursors of a [`ListQuery`]: changes with their form.
const LIST_VERSION: u8 = 1;

/// What a listing in the order of its items' ids is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many items a page has at most.
    #[param(minimum = 1)]
    limit: Option<usize>,
}

impl ListQuery {
    /// The id at which the page before ended, and how many items are wanted: `usual` if the
    /// request does not say.
    ///
    /// # Errors
    /// Those of [`limit`] and [`position`].
    pub fn read(&self, usual: usize, most: usize) -> Result<(Option<Uuid>, usize), Problem> {
        let limit = limit(self.limit, usual, most)?;
        let at = self.cursor.as_deref();
        let at = at
            .map(|cursor| position(LIST_VERSION, cursor))
            .transpose()?;
        Ok((at, limit))
    }
}

/// One more than the page holds, as stores count: to see whether there is another page.
#[must_use]
pub fn and_one(limit: usize) -> i64 {
    i64::try_from(limit).map_or(i64::MAX, |limit| limit.saturating_add(1))
}

impl<T> Page<T> {
    /// The page of a [`ListQuery`] that wants `limit` items, of which [`and_one`] were asked for.
    pub fn by_id(mut items: Vec<T>, limit: usize, id: impl Fn(&T) -> Uuid) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        Self {
            next_cursor: last.map(|last| cursor(LIST_VERSION, &id(last))),
            items,
        }
    }

    /// The same page of something else.
    pub fn map<U>(self, to: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(to).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

/// How many items a page is to have: `wanted`, or `usual` if the request does not say.
///
/// # Errors
/// 400 `invalid_limit`: it is not between 1 and `most`.
pub fn limit(wanted: Option<usize>, usual: usize, most: usize) -> Result<usize, Problem> {
    let limit = wanted.unwrap_or(usual.min(most));
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(
        Problem::new(StatusCode::BAD_REQUEST, "invalid_limit", "Invalid limit")
            .detail(format!("`limit` must lie between 1 and {most}")),
    )
}

/// Makes an opaque cursor from a position. `version` guards against cursors of another form.
pub fn cursor<T: Serialize>(version: u8, position: &T) -> String {
    let mut bytes = vec![version];
    bytes.extend(serde_json::to_vec(position).unwrap_or_default());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a position back from a cursor.
///
/// # Errors
/// 400 `invalid_cursor`: it is not one that [`cursor`] made with this version.
pub fn position<T: DeserializeOwned>(version: u8, cursor: &str) -> Result<T, Problem> {
    let read = || {
        if cursor.len() > MAX_CURSOR {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (first, rest) = bytes.split_first()?;
        (*first == version)
            .then(|| serde_json::from_slice(rest).ok())
            .flatten()
    };
    read().ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", "Invalid cursor")
            .detail("pass `next_cursor` of the page before, unchanged")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_lies_within_bounds() {
        assert_eq!(limit(None, 20, 100).unwrap(), 20);
        assert_eq!(limit(None, 20, 10).unwrap(), 10);
        assert_eq!(limit(Some(100), 20, 100).unwrap(), 100);
        for wanted in [0, 101] {
            let problem = limit(Some(wanted), 20, 100).unwrap_err();
            assert_eq!(problem.code(), "invalid_limit");
        }
    }

    #[test]
    fn a_cursor_comes_back_and_others_are_refused() {
        let made = cursor(1, &("a", 7));
        assert_eq!(
            position::<(String, i64)>(1, &made).unwrap(),
            ("a".into(), 7)
        );
        for bad in [
            "",
            "!!",
            "AA",
            &cursor(2, &("a", 7)),
            &cursor(1, &7),
            &"A".repeat(5000),
        ] {
            let problem = position::<(String, i64)>(1, bad).unwrap_err();
            assert_eq!(problem.code(), "invalid_cursor");
        }
    }
}
