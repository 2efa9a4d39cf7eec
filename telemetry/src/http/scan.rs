//! A request's head, read once: what telemetry wants from the headers, found in one pass.
//!
//! Each look-up in a map of headers hashes a name, and a request has fewer headers than there are
//! names to look up.

use http::header::{HOST, USER_AGENT};
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
    /// A proxy tells of the client: one of those below is there.
    pub(super) is_forwarded: bool,
    pub(super) forwarded: Option<&'a HeaderValue>,
    pub(super) forwarded_for: Option<&'a HeaderValue>,
    pub(super) forwarded_host: Option<&'a HeaderValue>,
    pub(super) forwarded_proto: Option<&'a HeaderValue>,
}

impl<'a> Scan<'a> {
    pub(super) fn of(headers: &'a HeaderMap) -> Scan<'a> {
        let mut scan = Scan::default();
        for (name, value) in headers {
            // Known names are numbers: these are compared without a look at their letters.
            if *name == HOST {
                scan.host.get_or_insert(value);
                continue;
            }
            if *name == USER_AGENT {
                scan.user_agent.get_or_insert(value);
                continue;
            }
            let name = name.as_str();
            // Most others are told apart by their length alone.
            let room = match name.len() {
                10 if name == "tracestate" => {
                    scan.has_tracestate = true;
                    continue;
                }
                11 if name == "traceparent" => {
                    scan.traceparents += 1;
                    &mut scan.traceparent
                }
                7 if name == "baggage" => {
                    scan.has_baggage = true;
                    continue;
                }
                9 | 15 | 16 | 17 => match scan.told_by_proxy(name) {
                    Some(room) => room,
                    None => continue,
                },
                _ => continue,
            };
            room.get_or_insert(value);
        }
        scan
    }

    fn told_by_proxy(&mut self, name: &str) -> Option<&mut Option<&'a HeaderValue>> {
        let room = match name {
            "forwarded" => &mut self.forwarded,
            "x-forwarded-for" => &mut self.forwarded_for,
            "x-forwarded-host" => &mut self.forwarded_host,
            "x-forwarded-proto" => &mut self.forwarded_proto,
            _ => return None,
        };
        self.is_forwarded = true;
        Some(room)
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
