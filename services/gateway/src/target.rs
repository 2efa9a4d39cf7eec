//! What a request asks for: its target and its host, in the one form that is sent on.

use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Uri, Version};

use crate::refusal::Refusal;

/// Longest host that is looked at; names end at 253 (RFC 1035), a port follows.
const HOST_BYTES: usize = 260;

/// Checks target and host and leaves the target in origin form.
pub(crate) fn check(head: &mut Parts, max_bytes: usize) -> Result<(), Refusal> {
    if head.method == Method::CONNECT {
        // A tunnel: never.
        return Err(Refusal::Method);
    }
    let target = head.uri.path_and_query().map_or("", PathAndQuery::as_str);
    if target.len() > max_bytes {
        return Err(Refusal::TargetTooLong);
    }
    let asterisk = target == "*" && head.method == Method::OPTIONS;
    if !target.starts_with('/') && !asterisk {
        return Err(Refusal::InvalidTarget);
    }
    if has_dot_segment(head.uri.path()) {
        return Err(Refusal::InvalidTarget);
    }
    check_host(head)?;
    if head.uri.scheme().is_some() {
        return from_absolute(head);
    }
    Ok(())
}

/// Exactly one host (RFC 9112, 3.2); HTTP/1.0 may do without.
fn check_host(head: &Parts) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if head.version == Version::HTTP_10 => Ok(()),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        _ => Err(Refusal::InvalidHost),
    }
}

/// The absolute form must name the host that `Host` names: two answers to the question whom a
/// request is for are one too many.
fn from_absolute(head: &mut Parts) -> Result<(), Refusal> {
    let named = head
        .uri
        .authority()
        .map_or("", |authority| authority.as_str());
    let host = head
        .headers
        .get(HOST)
        .map_or(named.as_bytes(), |host| host.as_bytes());
    let is_http = head
        .uri
        .scheme_str()
        .is_some_and(|s| matches!(s, "http" | "https"));
    if !is_http || !named.as_bytes().eq_ignore_ascii_case(host) {
        return Err(Refusal::InvalidTarget);
    }
    let target = head.uri.path_and_query().cloned();
    head.uri = target.map_or_else(|| Uri::from_static("/"), Uri::from);
    Ok(())
}

/// The characters of a registered name, an address and a port (RFC 3986, 3.2.2), no user.
fn is_host(host: &[u8]) -> bool {
    !host.is_empty()
        && host.len() <= HOST_BYTES
        && host
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]%!$&'()*+,;=".contains(byte))
}

/// `.` and `..` as a segment, plain or percent-encoded: they mean another path to whoever
/// resolves them, and no route needs them.
fn has_dot_segment(path: &str) -> bool {
    if !path.contains("/.") && !path.contains("/%2") {
        return false;
    }
    path.split('/').any(|segment| {
        let dots = segment.replace("%2e", ".").replace("%2E", ".");
        dots == "." || dots == ".."
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn check_one(method: &str, uri: &str, hosts: &[&str]) -> Result<String, &'static str> {
        let mut builder = Request::builder().method(method).uri(uri);
        for host in hosts {
            builder = builder.header(HOST, *host);
        }
        let mut head = builder.body(()).unwrap().into_parts().0;
        check(&mut head, 100)
            .map(|()| head.uri.to_string())
            .map_err(|refusal| refusal.code())
    }

    #[test]
    fn targets_come_out_in_origin_form() {
        type Case = (
            &'static str,
            &'static str,
            &'static [&'static str],
            Result<&'static str, &'static str>,
        );
        let cases: &[Case] = &[
            ("GET", "/a?b=c", &["x"], Ok("/a?b=c")),
            ("GET", "http://X/a?b", &["x"], Ok("/a?b")),
            ("GET", "http://x:80/a", &["x:80"], Ok("/a")),
            ("GET", "http://x", &["x"], Ok("/")),
            ("GET", "http://y/a", &["x"], Err("invalid_target")),
            ("GET", "ftp://x/a", &["x"], Err("invalid_target")),
            ("GET", "http://u@x/a", &["x"], Err("invalid_target")),
            ("GET", "x:80", &["x:80"], Err("invalid_target")),
            ("CONNECT", "x:80", &["x:80"], Err("method_not_implemented")),
            ("OPTIONS", "*", &["x"], Ok("*")),
            ("GET", "*", &["x"], Err("invalid_target")),
            ("GET", "/a/../b", &["x"], Err("invalid_target")),
            ("GET", "/a/%2E%2e/b", &["x"], Err("invalid_target")),
            ("GET", "/a/%2e", &["x"], Err("invalid_target")),
            ("GET", "/./a", &["x"], Err("invalid_target")),
            ("GET", "/a..b/.c/%20", &["x"], Ok("/a..b/.c/%20")),
        ];
        for (method, uri, hosts, wanted) in cases {
            let wanted = wanted.map(str::to_owned);
            assert_eq!(check_one(method, uri, hosts), wanted, "{method} {uri}");
        }
        let long = format!("/{}", "x".repeat(100));
        assert_eq!(check_one("GET", &long, &["x"]), Err("target_too_long"));
    }

    #[test]
    fn there_is_one_host_and_it_is_a_host() {
        for bad in [
            &[] as &[&str],
            &["a", "a"],
            &["a", "b"],
            &[""],
            &["a b"],
            &["a/b"],
            &["u@a"],
        ] {
            assert_eq!(check_one("GET", "/", bad), Err("invalid_host"), "{bad:?}");
        }
        let long = "a".repeat(300);
        assert_eq!(check_one("GET", "/", &[&long]), Err("invalid_host"));
        for good in ["a", "a.b-c:8080", "[::1]:80", "192.0.2.1"] {
            assert!(check_one("GET", "/", &[good]).is_ok(), "{good}");
        }
    }
}
