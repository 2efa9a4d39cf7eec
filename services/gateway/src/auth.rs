//! Who a request comes from.
//!
//! A request that presents a bearer token stands or falls by it, on public routes too: RFC 6750,
//! 3.1 has `invalid_token` for whoever presents one that is expired, revoked or malformed, and a
//! client that believes itself signed in should learn that it is not. Other schemes are not
//! spoken here: they count as no credentials, and are not sent on.

use std::sync::Arc;

use http::HeaderValue;
use http::header::{AUTHORIZATION, HeaderMap};
use identity::{Access, Cache, Claims, Verifier};

use crate::refusal::Refusal;

/// Verifies the token of a request, if it presents one, and applies the route's rule.
pub(crate) fn authorize(
    access: Access,
    headers: &mut HeaderMap,
    verifier: &Verifier,
    cache: &mut Cache,
) -> Result<Option<Arc<Claims>>, Refusal> {
    let claims = match bearer(headers)? {
        Some(token) => Some(
            verifier
                .verify_with(cache, token)
                .map_err(Refusal::BadToken)?,
        ),
        None => {
            headers.remove(AUTHORIZATION);
            None
        }
    };
    match access.permits(claims.as_deref()) {
        Ok(()) => Ok(claims),
        Err(identity::Refusal::Unauthenticated) => Err(Refusal::MissingToken),
        Err(identity::Refusal::Forbidden) => Err(Refusal::AdminOnly),
    }
}

/// The bearer token, if there is one. Two lines, or bytes that are not text, are ambiguous.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    if lines.next().is_some() {
        return Err(Refusal::AmbiguousCredentials);
    }
    let text = HeaderValue::to_str(line).map_err(|_| Refusal::AmbiguousCredentials)?;
    let Some((scheme, token)) = text.split_once(' ') else {
        return if text.eq_ignore_ascii_case("bearer") {
            Err(Refusal::AmbiguousCredentials)
        } else {
            Ok(None)
        };
    };
    Ok(scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_matches(' ')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::KeySet;

    fn outcome(access: Access, lines: &[&[u8]]) -> (Result<bool, &'static str>, HeaderMap) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(line).unwrap());
        }
        let verifier = Verifier::members(KeySet::new());
        let mut cache = Cache::new(10);
        let found = authorize(access, &mut headers, &verifier, &mut cache);
        (
            found
                .map(|claims| claims.is_some())
                .map_err(|refusal| refusal.code()),
            headers,
        )
    }

    #[test]
    fn what_is_presented_decides_and_what_is_not_spoken_is_not_sent_on() {
        use Access::{Admin, Member, Public};
        type Case = (Access, &'static [&'static [u8]], Result<bool, &'static str>);
        let cases: &[Case] = &[
            (Public, &[], Ok(false)),
            (Member, &[], Err("missing_token")),
            (Admin, &[], Err("missing_token")),
            (Public, &[b"Bearer nonsense"], Err("invalid_token")),
            (Member, &[b"bearer  nonsense"], Err("invalid_token")),
            (Public, &[b"Bearer"], Err("ambiguous_credentials")),
            (Public, &[b"Bearer "], Err("invalid_token")),
            (
                Public,
                &[b"Bearer a", b"Bearer a"],
                Err("ambiguous_credentials"),
            ),
            (Public, &[b"Bearer \xff"], Err("ambiguous_credentials")),
            (Public, &[b"Basic YWxhZGRpbjpvcGVu"], Ok(false)),
            (Member, &[b"Basic YWxhZGRpbjpvcGVu"], Err("missing_token")),
            (Public, &[b"nonsense"], Ok(false)),
        ];
        for (access, lines, wanted) in cases {
            let (found, headers) = outcome(*access, lines);
            assert_eq!(found, *wanted, "{access:?} {lines:?}");
            if found == Ok(false) {
                assert!(headers.is_empty());
            }
        }
    }
}
