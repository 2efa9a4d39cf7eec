//! Which header lines end at the gateway: those of one connection (RFC 9110, 7.6.1), and those
//! that only the city itself may say.

use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRAILER,
};

use telemetry::context::carries_context;

use crate::address::{X_FORWARDED_HOST, X_FORWARDED_PROTO};

const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");
const TE_OPTION: HeaderValue = HeaderValue::from_static("te");

/// Scratch space for names to remove: reused, so that a request allocates nothing.
pub(crate) type Names = Vec<HeaderName>;

/// Makes a client's headers fit to be sent on. What a trusted peer says of the client's
/// protocol and host stays; `X-Forwarded-For` is the caller's to write.
pub(crate) fn clean_request(headers: &mut HeaderMap, trusted_peer: bool, scratch: &mut Names) {
    let wants_trailers = headers.get_all(TE).iter().any(is_trailers);
    scratch.clear();
    for name in headers.keys() {
        let forwarded_fact = *name == X_FORWARDED_PROTO || *name == X_FORWARDED_HOST;
        if ends_here(name) || (is_ours(name) && !(trusted_peer && forwarded_fact)) {
            scratch.push(name.clone());
        }
    }
    add_listed(headers, scratch);
    for name in scratch.drain(..) {
        headers.remove(name);
    }
    if wants_trailers {
        headers.insert(TE, TRAILERS);
        headers.insert(CONNECTION, TE_OPTION);
    }
}

/// Makes a service's headers fit for the client.
pub(crate) fn clean_response(headers: &mut HeaderMap, scratch: &mut Names) {
    scratch.clear();
    for name in headers.keys() {
        let inner = name.as_str().starts_with("citywatch-") || name == "baggage";
        if inner || (ends_here(name) && *name != TRAILER) {
            scratch.push(name.clone());
        }
    }
    add_listed(headers, scratch);
    for name in scratch.drain(..) {
        headers.remove(name);
    }
}

/// Header lines of one connection, and request trailers, which are not sent on.
fn ends_here(name: &HeaderName) -> bool {
    match name.as_str() {
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade"
        | "expect" => true,
        other => other.starts_with("proxy-"),
    }
}

/// Header lines that only the city may say: identity, budget, the way a request came, its trace
/// and baggage, in whatever format a service might read them.
fn is_ours(name: &HeaderName) -> bool {
    match name.as_str() {
        "forwarded" | "x-real-ip" => true,
        other => {
            other.starts_with("citywatch-")
                || other.starts_with("x-forwarded-")
                || carries_context(other)
        }
    }
}

/// Adds the names that `Connection` lists. It cannot list what a message is framed or routed by.
fn add_listed(headers: &HeaderMap, names: &mut Names) {
    for value in headers.get_all(CONNECTION) {
        for option in value.as_bytes().split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            if matches!(option, b"close" | b"keep-alive" | b"") {
                continue;
            }
            if let Ok(name) = HeaderName::from_bytes(option)
                && name != HOST
                && name != CONTENT_LENGTH
            {
                names.push(name);
            }
        }
    }
}

fn is_trailers(value: &HeaderValue) -> bool {
    value
        .as_bytes()
        .split(|byte| *byte == b',')
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        map
    }

    fn left(map: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<_> = map
            .iter()
            .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn what_belongs_to_one_connection_ends_there() {
        let mut map = headers(&[
            ("connection", "close, X-Custom"),
            ("connection", "x-other , ,x\tbad"),
            ("x-custom", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic x"),
            ("proxy-connection", "keep-alive"),
            ("te", "gzip"),
            ("trailer", "x-sum"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("host", "shop.example"),
            ("accept", "*/*"),
        ]);
        clean_request(&mut map, false, &mut Names::new());
        assert_eq!(left(&map), ["accept: */*", "host: shop.example"]);
    }

    #[test]
    fn connection_cannot_name_what_a_message_is_framed_by() {
        let mut map = headers(&[
            ("connection", "host, content-length, authorization"),
            ("host", "a"),
            ("content-length", "3"),
            ("authorization", "Bearer x"),
        ]);
        clean_request(&mut map, false, &mut Names::new());
        assert_eq!(left(&map), ["content-length: 3", "host: a"]);
    }

    #[test]
    fn who_takes_trailers_still_does() {
        let mut map = headers(&[("te", "gzip, Trailers"), ("connection", "te")]);
        clean_request(&mut map, false, &mut Names::new());
        assert_eq!(left(&map), ["connection: te", "te: trailers"]);
    }

    #[test]
    fn only_the_city_says_who_someone_is_and_where_from() {
        let lines = [
            ("citywatch-timeout-ms", "999999"),
            ("citywatch-anything", "x"),
            ("baggage", "user=admin"),
            ("forwarded", "for=1.1.1.1"),
            ("x-real-ip", "1.1.1.1"),
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-port", "1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "shop.example"),
            ("traceparent", "00-1-2-03"),
            ("tracestate", "a=b"),
            ("x-b3-sampled", "1"),
            ("x-request-id", "mine"),
        ];
        let mut map = headers(&lines);
        clean_request(&mut map, false, &mut Names::new());
        assert_eq!(left(&map), ["x-request-id: mine"]);

        let mut map = headers(&lines);
        clean_request(&mut map, true, &mut Names::new());
        let wanted = [
            "x-forwarded-host: shop.example",
            "x-forwarded-proto: https",
            "x-request-id: mine",
        ];
        assert_eq!(left(&map), wanted);
    }

    #[test]
    fn answers_lose_what_is_between_us_and_the_service() {
        let mut map = headers(&[
            ("connection", "x-secret"),
            ("x-secret", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("proxy-authenticate", "x"),
            ("citywatch-inner", "x"),
            ("trailer", "x-sum"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ]);
        clean_response(&mut map, &mut Names::new());
        assert_eq!(
            left(&map),
            ["set-cookie: a=1", "set-cookie: b=2", "trailer: x-sum"]
        );
    }
}
