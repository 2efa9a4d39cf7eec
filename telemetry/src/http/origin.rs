//! Where a request came from and what it asked for, seen through proxies.

use super::scan::Scan;
use super::semconv::Scheme;
use super::url::host_port;
use http::{HeaderValue, Uri};

/// The client's view of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Origin<'a> {
    pub(super) client: Option<&'a str>,
    pub(super) host: Option<(&'a str, Option<u16>)>,
    pub(super) scheme: Option<Scheme>,
}

/// The host and the port that the request itself names.
pub(super) fn direct<'a>(uri: &'a Uri, scan: &Scan<'a>) -> Option<(&'a str, Option<u16>)> {
    let authority = uri.authority().map(http::uri::Authority::as_str);
    authority.or_else(|| text(scan.host)).and_then(host_port)
}

/// What trusted proxies say about the client's connection to the first of them: `Forwarded`
/// (RFC 7239), else `X-Forwarded-*`.
pub(super) fn forwarded<'a>(scan: &Scan<'a>) -> Origin<'a> {
    if let Some(forwarded) = text(scan.forwarded) {
        return first_hop(forwarded);
    }
    let first = |value| Some(text(value)?.split(',').next()?.trim());
    Origin {
        client: first(scan.forwarded_for).and_then(node),
        host: first(scan.forwarded_host).and_then(host_port),
        scheme: first(scan.forwarded_proto).and_then(scheme),
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

/// What a header says, unless that is no text.
pub(super) fn text(value: Option<&HeaderValue>) -> Option<&str> {
    std::str::from_utf8(value?.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

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
        let origin = forwarded(&Scan::of(&headers));
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
            let headers = headers(&[("x-forwarded-for", value)]);
            assert_eq!(forwarded(&Scan::of(&headers)).client, client);
        }
        let headers = headers(&[("x-forwarded-proto", "gopher")]);
        assert_eq!(forwarded(&Scan::of(&headers)).scheme, None);
    }

    #[test]
    fn headers_are_text_in_any_alphabet() {
        for (bytes, said) in [
            ("föhn/1".as_bytes(), Some("föhn/1")),
            (b"curl/8", Some("curl/8")),
            (b"\xff/1", None),
        ] {
            let value = HeaderValue::from_bytes(bytes).unwrap();
            assert_eq!(text(Some(&value)), said);
        }
        assert_eq!(text(None), None);
    }

    #[test]
    fn the_request_s_own_authority_comes_before_the_host_header() {
        let headers = headers(&[("host", "b:1")]);
        let scan = Scan::of(&headers);
        let uri = Uri::from_static("http://a/x");
        assert_eq!(direct(&uri, &scan), Some(("a", None)));
        let uri = Uri::from_static("/x");
        assert_eq!(direct(&uri, &scan), Some(("b", Some(1))));
    }
}
