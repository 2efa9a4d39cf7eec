//! Where a request came from and what it asked for, seen through proxies.

use super::semconv::Scheme;
use super::url::host_port;
use http::header::{FORWARDED, HOST};
use http::{HeaderMap, Uri};

/// The client's view of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    pub(super) client: Option<&'a str>,
    pub(super) host: Option<(&'a str, Option<u16>)>,
    pub(super) scheme: Option<Scheme>,
}

/// What the connection itself says.
pub(super) fn direct<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Origin<'a> {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    let host = authority
        .or_else(|| text(headers, HOST.as_str()))
        .and_then(host_port);
    Origin {
        client: None,
        host,
        scheme: uri.scheme_str().map(Scheme::of),
    }
}

/// What trusted proxies say about the client's connection to the first of them: `Forwarded`
/// (RFC 7239), else `X-Forwarded-*`.
pub(super) fn forwarded(headers: &HeaderMap) -> Origin<'_> {
    if let Some(forwarded) = text(headers, FORWARDED.as_str()) {
        return first_hop(forwarded);
    }
    let first = |name| Some(text(headers, name)?.split(',').next()?.trim());
    Origin {
        client: first("x-forwarded-for").and_then(node),
        host: first("x-forwarded-host").and_then(host_port),
        scheme: first("x-forwarded-proto").and_then(scheme),
    }
}

fn first_hop(forwarded: &str) -> Origin<'_> {
    let mut origin = Origin::default();
    for pair in forwarded.split(',').next().unwrap_or_default().split(';') {
        let Some((key, value)) = pair.split_once('=') else {
            continue;
        };
        let value = value.trim().trim_matches('"');
        match key.trim() {
            key if key.eq_ignore_ascii_case("for") => origin.client = node(value),
            key if key.eq_ignore_ascii_case("host") => origin.host = host_port(value),
            key if key.eq_ignore_ascii_case("proto") => origin.scheme = scheme(value),
            _ => {}
        }
    }
    origin
}

/// An address, maybe with a port; not `unknown` or an obfuscated name.
fn node(value: &str) -> Option<&str> {
    let is_address = |value: &&str| value.parse::<std::net::IpAddr>().is_ok();
    Some(value)
        .filter(is_address)
        .or_else(|| host_port(value).map(|(host, _)| host).filter(is_address))
}

fn scheme(value: &str) -> Option<Scheme> {
    let known = value.eq_ignore_ascii_case("http") || value.eq_ignore_ascii_case("https");
    known.then(|| Scheme::of(value))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn forwarded_wins_over_the_older_headers() {
        let headers = headers(&[
            (
                "forwarded",
                "for=\"[2001:db8::1]:4711\";proto=https;host=shop.example, for=10.0.0.1",
            ),
            ("x-forwarded-for", "192.0.2.7"),
        ]);
        let origin = forwarded(&headers);
        assert_eq!(origin.client, Some("2001:db8::1"));
        assert_eq!(origin.host, Some(("shop.example", None)));
        assert_eq!(origin.scheme, Some(Scheme::Https));
    }

    #[test]
    fn only_addresses_are_clients() {
        for (value, client) in [
            ("192.0.2.7, 10.0.0.1", Some("192.0.2.7")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("192.0.2.7:80", Some("192.0.2.7")),
            ("unknown", None),
            ("_hidden", None),
            ("", None),
        ] {
            assert_eq!(
                forwarded(&headers(&[("x-forwarded-for", value)])).client,
                client
            );
        }
        assert_eq!(
            forwarded(&headers(&[("x-forwarded-proto", "gopher")])).scheme,
            None
        );
    }

    #[test]
    fn the_request_s_own_authority_comes_before_the_host_header() {
        let headers = headers(&[("host", "b:1")]);
        let uri = Uri::from_static("http://a/x");
        assert_eq!(direct(&uri, &headers).host, Some(("a", None)));
        assert_eq!(
            direct(&Uri::from_static("/x"), &headers).host,
            Some(("b", Some(1)))
        );
    }
}
