//! A product's edition as an entity tag (RFC 9110 8.8.3, 13.1): its version and, as that changes
//! what is shown without an edit, whether it is sold out.

use app::Problem;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::domain::Edition;

const SOLD_OUT: &str = "-sold-out";

pub(super) fn of(edition: Edition) -> HeaderValue {
    let stock = if edition.in_stock { "" } else { SOLD_OUT };
    let tag = format!("\"{}{stock}\"", edition.version);
    // A quoted number is always a header value.
    HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// What `If-Match` allows to be changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// There is no such header.
    Missing,
    /// `*`
    Any,
    /// One version.
    Version(i64),
}

pub(super) fn if_match(headers: &HeaderMap) -> Result<Condition, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return match headers.contains_key(header::IF_MATCH) {
            true => Err(malformed()),
            false => Ok(Condition::Missing),
        };
    };
    let value = value.to_str().map_err(|_| malformed())?.trim();
    if value == "*" {
        return Ok(Condition::Any);
    }
    let tag = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
    // Who edits has not decided about stock: the version alone has to be the same.
    let version = tag.map(|tag| tag.strip_suffix(SOLD_OUT).unwrap_or(tag));
    let version = version.and_then(|v| v.parse().ok()).ok_or_else(malformed)?;
    Ok(Condition::Version(version))
}

pub(super) fn none_match(headers: &HeaderMap, edition: Edition) -> bool {
    let current = of(edition);
    let known = |value: &HeaderValue| {
        let tags = value.to_str().unwrap_or_default().split(',');
        tags.map(|tag| tag.trim().trim_start_matches("W/"))
            .any(|tag| tag == "*" || tag.as_bytes() == current.as_bytes())
    };
    !headers.get_all(header::IF_NONE_MATCH).iter().any(known)
}

fn malformed() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "invalid_if_match",
        "Invalid If-Match",
    )
    .detail("send the product's `ETag`, unchanged, or `*`")
}

#[cfg(test)]
mod tests {
    use super::{Condition, if_match, none_match};
    use crate::domain::Edition;
    use http::{HeaderMap, HeaderValue, header};

    #[test]
    fn conditions_are_read() {
        for (value, expected) in [
            ("\"3\"", Some(Condition::Version(3))),
            ("\"3-sold-out\"", Some(Condition::Version(3))),
            ("\"-sold-out\"", None),
            (" * ", Some(Condition::Any)),
            ("3", None),
            ("W/\"3\"", None),
            ("\"x\"", None),
            ("\"", None),
            ("", None),
            ("\"1\", \"2\"", None),
        ] {
            let headers =
                HeaderMap::from_iter([(header::IF_MATCH, HeaderValue::from_static(value))]);
            assert_eq!(if_match(&headers).ok(), expected, "{value}");
        }
        assert_eq!(if_match(&HeaderMap::new()).ok(), Some(Condition::Missing));
        let mut twice = HeaderMap::new();
        twice.append(header::IF_MATCH, HeaderValue::from_static("\"1\""));
        twice.append(header::IF_MATCH, HeaderValue::from_static("\"1\""));
        assert!(if_match(&twice).is_err());
    }

    #[test]
    fn a_known_edition_is_not_sent_again() {
        let edition = |in_stock| Edition {
            version: 3,
            in_stock,
        };
        for (value, send, send_sold_out) in [
            ("\"3\"", false, true),
            ("\"3-sold-out\"", true, false),
            ("\"1\", W/\"3\"", false, true),
            ("*", false, false),
            ("\"2\"", true, true),
        ] {
            let headers =
                HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(value))]);
            assert_eq!(none_match(&headers, edition(true)), send, "{value}");
            let sold_out = none_match(&headers, edition(false));
            assert_eq!(sold_out, send_sold_out, "{value}");
        }
        assert!(none_match(&HeaderMap::new(), edition(true)));
    }
}
