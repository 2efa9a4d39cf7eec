//! URLs as attributes: without credentials, signatures or tokens.

use super::semconv::Scheme;
use http::Uri;
use http::uri::Authority;
use memchr::{memchr, memrchr};
use std::borrow::Cow;
use std::hint::cold_path;

/// Keys whose values are secrets, case-sensitive: the list of the
/// [semantic conventions](https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/), and
/// the one key that a standard (RFC 6750, section 2.3) gives to a token, since the conventions also
/// want scrubbed whatever can be identified as sensitive.
pub(super) const SECRET_KEYS: [&str; 8] = [
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "sig",
    "X-Goog-Signature",
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

#[cold]
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
    // Most are told apart by their first letter.
    if !matches!(pair.as_bytes(), [b'A' | b'S' | b'X' | b'a' | b's', ..]) {
        return None;
    }
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
        cold_path();
        let (host, rest) = rest.split_once(']')?;
        let port = rest.strip_prefix(':');
        if port.is_none() && !rest.is_empty() {
            return None;
        }
        (host, port)
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

/// `url.full` of a request to a server that the URL itself may leave open. Credentials and secret
/// values are
/// [replaced](https://opentelemetry.io/docs/specs/semconv/registry/attributes/url/).
pub(super) fn full(uri: &Uri, server: &str, server_port: u16) -> String {
    let authority = uri.authority().map(Authority::as_str);
    let credentials = authority.is_some_and(|authority| authority.contains('@'));
    let (host, port) = authority
        .and_then(host_port)
        .unwrap_or((server, Some(server_port)));
    let scheme = uri.scheme_str().unwrap_or("http");
    let path = uri.path();
    let mut out = String::with_capacity(scheme.len() + host.len() + path.len() + 64);
    out.push_str(scheme);
    out.push_str("://");
    if credentials {
        out.push_str("REDACTED:REDACTED@");
    }
    if host.contains(':') {
        out.push('[');
        out.push_str(host);
        out.push(']');
    } else {
        out.push_str(host);
    }
    if let Some(port) = port.filter(|port| *port != Scheme::of(scheme).port()) {
        out.push(':');
        out.push_str(itoa::Buffer::new().format(port));
    }
    out.push_str(if path.is_empty() { "/" } else { path });
    if let Some(query) = uri.query() {
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
        for key in SECRET_KEYS {
            let query = format!("a=1&{key}=SECRET&{key}=%20b&c");
            let shown = format!("a=1&{key}=REDACTED&{key}=REDACTED&c");
            assert_eq!(redact(&query), shown);
            let other_case = format!("{}=kept", key.to_lowercase());
            let same = other_case.starts_with(key);
            assert!(same || redact(&other_case) == other_case);
        }
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
            ("[::1]a:80", None),
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
    fn full_urls_are_absolute_and_without_secrets() {
        for (uri, shown) in [
            ("/x?sig=1", "http://a:4711/x?sig=REDACTED"),
            ("http://b", "http://b/"),
            ("http://b:80/x", "http://b/x"),
            ("https://[::1]:80/", "https://[::1]:80/"),
            (
                "https://user:secret@b/?q=1",
                "https://REDACTED:REDACTED@b/?q=1",
            ),
            ("https://user@b:1/", "https://REDACTED:REDACTED@b:1/"),
        ] {
            assert_eq!(full(&Uri::from_static(uri), "a", 4711), shown);
        }
        assert_eq!(full(&Uri::from_static("/"), "::1", 80), "http://[::1]/");
    }
}
