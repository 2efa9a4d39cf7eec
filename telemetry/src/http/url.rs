//! URLs as attributes: without credentials, signatures or tokens.

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
    let is_secret = |pair: &str| {
        pair.split_once('=')
            .is_some_and(|(key, _)| SECRET_KEYS.contains(&key))
    };
    if !query.split('&').any(is_secret) {
        return Cow::Borrowed(query);
    }
    let mut out = String::with_capacity(query.len());
    for (i, pair) in query.split('&').enumerate() {
        if i > 0 {
            out.push('&');
        }
        match pair.split_once('=') {
            Some((key, _)) if is_secret(pair) => {
                out.push_str(key);
                out.push_str("=REDACTED");
            }
            _ => out.push_str(pair),
        }
    }
    Cow::Owned(out)
}

/// Host and port of an authority; the port may be missing. IPv6 addresses lose their brackets.
pub(super) fn host_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let authority = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']')?;
        (host, rest.strip_prefix(':'))
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let port = port
        .filter(|port| !port.is_empty())
        .map(str::parse)
        .transpose()
        .ok()?;
    (!host.is_empty()).then_some((host, port))
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
