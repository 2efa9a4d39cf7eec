//! Checks of what is read from a request's head.

use super::origin::{direct, forwarded as origin};
use super::scan::Scan;
use super::url::{full, host_port, redact};
use crate::fuzzing::headers;
use http::Uri;
use std::net::IpAddr;

/// Each line is a header. A client is an address, a host is one without credentials.
pub(crate) fn forwarded(input: &[u8]) {
    let headers = headers(input);
    let scan = Scan::of(&headers);
    let seen = origin(&scan);
    assert!(
        seen.client
            .is_none_or(|client| client.parse::<IpAddr>().is_ok())
    );
    seen.host.iter().for_each(whole);
    direct(&Uri::default(), &scan).iter().for_each(whole);
}

/// A host is found without credentials, and with its port is the same authority again.
pub(crate) fn authority(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let found = host_port(text);
    found.iter().for_each(whole);
    let secret = format!("user:c0ffee@{text}");
    if !text.contains('@') {
        assert_eq!(host_port(&secret), found);
    }
    let Ok(uri) = text.parse::<Uri>() else { return };
    if let Some((host, port)) = uri
        .authority()
        .and_then(|authority| host_port(authority.as_str()))
    {
        let theirs = uri.host().unwrap_or_default();
        let address = theirs
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        assert_eq!(address.unwrap_or(theirs), host);
        assert_eq!(uri.port_u16(), port);
    }
}

fn whole((host, port): &(&str, Option<u16>)) {
    assert!(!host.is_empty() && !host.contains('@'));
    let host_again = match host.contains(':') || host.starts_with('[') {
        true => format!("[{host}]"),
        false => (*host).to_owned(),
    };
    let again = match port {
        Some(port) => format!("{host_again}:{port}"),
        None => host_again,
    };
    assert_eq!(host_port(&again), Some((*host, *port)), "{again}");
}

/// Secret values are gone, all else stays as it was.
pub(crate) fn query(input: &[u8]) {
    let Ok(query) = std::str::from_utf8(input) else {
        return;
    };
    let shown = redact(query);
    assert_eq!(shown, redacted(query));
    assert_eq!(redact(&shown), shown);
    for secret in ["sig", "Signature", "X-Amz-Credential", "access_token"] {
        let with = format!("{query}&{secret}=c0ffee&{query}");
        let expected = format!("{shown}&{secret}=REDACTED&{shown}");
        assert_eq!(redact(&with), expected);
        let url = format!("https://user:c0ffee@shop.example:8443/a?{secret}=c0ffee&{query}");
        // A fragment is not sent.
        if let Ok(url) = url.parse::<Uri>()
            && !query.contains('#')
        {
            let url = full(&url, "", 0);
            let from = "https://REDACTED:REDACTED@shop.example:8443/a";
            assert_eq!(url, format!("{from}?{secret}=REDACTED&{shown}"));
        }
    }
}

/// The rule, in words: slow and plain.
fn redacted(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key, _)) if super::url::SECRET_KEYS.contains(&key) => format!("{key}=REDACTED"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}
