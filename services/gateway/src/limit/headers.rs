//! `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10): what a client
//! may still ask, told before it is refused.

use std::hash::{DefaultHasher, Hash, Hasher};

use http::header::{HeaderName, HeaderValue};

use super::{Decision, Pace};

pub(crate) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(crate) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

const NANOS: u64 = 1_000_000_000;

/// One limit: its pace, and the number under which its keys are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) class: u64,
    pub(crate) pace: Pace,
}

/// The limits of one class, with the header that announces them, made once.
#[derive(Clone, Debug)]
pub(crate) struct Policies {
    pub(crate) class: String,
    pub(crate) address: Option<Limit>,
    pub(crate) member: Option<Limit>,
    /// For a client without a member; none if there is no limit to announce.
    pub(crate) anonymous: Option<HeaderValue>,
    /// For a member.
    pub(crate) known: Option<HeaderValue>,
}

impl Policies {
    pub(crate) fn new(class: String, address: Option<Pace>, member: Option<Pace>) -> Self {
        let address_policy = address.map(|pace| policy("address", pace));
        let member_policy = member.map(|pace| policy("member", pace));
        let join = |parts: &[&Option<String>]| {
            let parts: Vec<&str> = parts.iter().filter_map(|part| part.as_deref()).collect();
            if parts.is_empty() {
                None
            } else {
                HeaderValue::from_str(&parts.join(", ")).ok()
            }
        };
        // By name and pace: a table that is replaced goes on counting where the last one was, and
        // a changed limit begins anew. What was used up under the old pace says nothing under the
        // new one.
        let limit = |scope: &str, pace: Option<Pace>| {
            let mut hasher = DefaultHasher::new();
            (scope, &class, pace).hash(&mut hasher);
            pace.map(|pace| Limit {
                class: hasher.finish(),
                pace,
            })
        };
        Self {
            address: limit("address", address),
            member: limit("member", member),
            class,
            anonymous: join(&[&address_policy]),
            known: join(&[&address_policy, &member_policy]),
        }
    }
}

/// `"member";q=200;w=2`: quota, and the seconds in which it comes back.
fn policy(name: &str, pace: Pace) -> String {
    let window = pace.window().div_ceil(NANOS).max(1);
    format!("\"{name}\";q={};w={window}", pace.quota())
}

/// `"member";r=199;t=1`: what remains, and the seconds until all of it is there again.
pub(crate) fn rate_limit(name: &str, decision: &Decision) -> Option<HeaderValue> {
    let (remaining, reset) = (decision.remaining, decision.reset.div_ceil(NANOS));
    let text = format!("\"{name}\";r={remaining};t={reset}");
    HeaderValue::from_maybe_shared(bytes::Bytes::from(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Rate;

    #[test]
    fn headers_are_structured_fields_as_the_draft_writes_them() {
        let pace = |requests, burst| {
            Pace::new(Rate {
                requests,
                seconds: 1,
                burst,
            })
            .ok()
        };
        let both = Policies::new("default".into(), pace(1000, 2000), pace(100, 150));
        assert_eq!(both.anonymous.unwrap(), "\"address\";q=2000;w=2");
        assert_eq!(
            both.known.unwrap(),
            "\"address\";q=2000;w=2, \"member\";q=150;w=2"
        );
        let none = Policies::new("free".into(), None, None);
        assert!(none.anonymous.is_none() && none.known.is_none());

        let mut due = 0;
        let decision = pace(100, 150).unwrap().decide(&mut due, 7 * NANOS);
        assert_eq!(
            rate_limit("member", &decision).unwrap(),
            "\"member\";r=149;t=1"
        );
    }
}
