//! URLs as attributes: without credentials, signatures or tokens.

use memchr::{memchr, memrchr};
use std::borrow::Cow;

/// Keys whose values are secrets: the list of the semantic conventions, and AWS's newer names.
const SECRET_KEYS: [&str; 8] = [
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "access_token",
];

/// A query with secret values replaced by `REDACTED`.
pub(super) fn redact(query: &str) -> Cow<'_, str> {
    let mut rest = query;
    while !rest.is_empty() {
        let (pair, after) = cut(rest, b'&');
        if secret_key(pair).is_some() {
            return Cow::Owned(redacted(query));
        }
        rest = after.unwrap_or_default();
    }
    Cow::Borrowed(query)
}

fn redacted(query: &str) -> String {
    let pair = |pair| match secret_key(pair) {
        Some(key) => format!("{key}=REDACTED"),
        None => str::to_owned(pair),
    };
    let pairs: Vec<_> = query.split('&').map(pair).collect();
    pairs.join("&")
}

/// The key, if its value is a secret.
fn secret_key(pair: &str) -> Option<&str> {
    let (key, value) = cut(pair, b'=');
    value.filter(|_| SECRET_KEYS.contains(&key)).map(|_| key)
}

/// Before and behind the first `separator`, one byte of ASCII.
fn cut(text: &str, separator: u8) -> (&str, Option<&str>) {
    match memchr(separator, text.as_bytes()) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Host and port of an authority; the port may be missing. IPv6 addresses lose their brackets.
pub(super) fn host_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let authority = match memrchr(b'@', authority.as_bytes()) {
        Some(at) => &authority[at + 1..],
        None => authority,
    };
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        (host, rest.strip_prefix(':'))
    } else {
        cut(authority, b':')
    };
    let port = port
        .filter(|port| !port.is_empty())
        .map(port_number)
        .transpose()
        .ok()?;
    (!host.is_empty()).then_some((host, port))
}

/// Digits only.
fn port_number(digits: &str) -> Result<u16, ()> {
    let number = digits.bytes().try_fold(0_u32, |number, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10 && number < 10_000).then_some(number * 10 + u32::from(digit))
    });
    number.and_then(|number| number.try_into().ok()).ok_or(())
}

/// `url.full`: credentials and secret values are left out.
pub(super) fn full(scheme: &str, host: &str, port: u16, path_and_query: &str) -> String {
    let (path, query) = match path_and_query.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path_and_query, None),
    };
    let mut out = String::with_capacity(path_and_query.len() + host.len() + 16);
    out.push_str(scheme);
    out.push_str("://");
    if host.contains(':') {
        out.push('[');
        out.push_str(host);
        out.push(']');
    } else {
        out.push_str(host);
    }
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => 0,
    };
    if port != default {
        out.push(':');
        out.push_str(&port.to_string());
    }
    out.push_str(path);
    if let Some(query) = query {
        out.push('?');
        out.push_str(&redact(query));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_redacted_and_the_rest_is_kept() {
        for (query, shown) in [
            ("", ""),
            ("a=1&b", "a=1&b"),
            ("sig=SECRET", "sig=REDACTED"),
            (
                "a=1&X-Amz-Signature=x%20y&b=2",
                "a=1&X-Amz-Signature=REDACTED&b=2",
            ),
            ("design=1&sig", "design=1&sig"),
        ] {
            assert_eq!(redact(query), shown);
        }
    }

    #[test]
    fn authorities_are_taken_apart() {
        for (authority, parts) in [
            ("a", Some(("a", None))),
            ("a:80", Some(("a", Some(80)))),
            ("a:", Some(("a", None))),
            ("[::1]:80", Some(("::1", Some(80)))),
            ("[::1]", Some(("::1", None))),
            ("user:secret@a:1", Some(("a", Some(1)))),
            ("", None),
            (":80", None),
            ("a:x", None),
            ("a:99999", None),
        ] {
            assert_eq!(host_port(authority), parts, "{authority}");
        }
    }

    #[test]
    fn full_urls_show_the_port_only_if_it_is_not_the_scheme_s() {
        assert_eq!(full("http", "a", 80, "/x?sig=1"), "http://a/x?sig=REDACTED");
        assert_eq!(full("https", "::1", 80, "/"), "https://[::1]:80/");
    }
}
