//! A request's head, read once: what telemetry wants from the headers, found in one pass.
//!
//! Each look-up in a map of headers hashes a name, and a request has fewer headers than there are
//! names to look up.

use http::{HeaderMap, HeaderValue};

/// The headers that matter here. Of one that may come once, the first counts.
#[derive(Debug, Default)]
pub(super) struct Scan<'a> {
    pub(super) traceparent: Option<&'a HeaderValue>,
    /// More than one says nothing: none of them is believed.
    pub(super) traceparents: usize,
    pub(super) has_tracestate: bool,
    pub(super) has_baggage: bool,
    pub(super) host: Option<&'a HeaderValue>,
    pub(super) user_agent: Option<&'a HeaderValue>,
    pub(super) forwarded: Option<&'a HeaderValue>,
    pub(super) forwarded_for: Option<&'a HeaderValue>,
    pub(super) forwarded_host: Option<&'a HeaderValue>,
    pub(super) forwarded_proto: Option<&'a HeaderValue>,
}

impl<'a> Scan<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Scan<'a> {
        let mut scan = Scan::default();
        for (name, value) in headers {
            let room = match name.as_str() {
                "host" => &mut scan.host,
                "user-agent" => &mut scan.user_agent,
                "traceparent" => {
                    scan.traceparents += 1;
                    &mut scan.traceparent
                }
                "tracestate" => {
                    scan.has_tracestate = true;
                    continue;
                }
                "baggage" => {
                    scan.has_baggage = true;
                    continue;
                }
                "forwarded" => &mut scan.forwarded,
                "x-forwarded-for" => &mut scan.forwarded_for,
                "x-forwarded-host" => &mut scan.forwarded_host,
                "x-forwarded-proto" => &mut scan.forwarded_proto,
                _ => continue,
            };
            room.get_or_insert(value);
        }
        scan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_is_found_and_the_first_of_several_counts() {
        let names = [
            "traceparent",
            "tracestate",
            "baggage",
            "host",
            "user-agent",
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
        ];
        let mut headers = HeaderMap::new();
        for round in ["first", "second"] {
            for name in names {
                headers.append(name, format!("{name} {round}").parse().unwrap());
            }
        }
        headers.append("accept", "*/*".parse().unwrap());
        headers.append("x-forwarded-port", "1".parse().unwrap());
        let scan = Scan::of(&headers);
        assert_eq!(scan.traceparents, 2);
        assert!(scan.has_tracestate && scan.has_baggage);
        for (found, name) in [
            (scan.traceparent, "traceparent"),
            (scan.host, "host"),
            (scan.user_agent, "user-agent"),
            (scan.forwarded, "forwarded"),
            (scan.forwarded_for, "x-forwarded-for"),
            (scan.forwarded_host, "x-forwarded-host"),
            (scan.forwarded_proto, "x-forwarded-proto"),
        ] {
            assert_eq!(found.unwrap(), &format!("{name} first"));
        }
    }
}
