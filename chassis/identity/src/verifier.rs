//! Who is believed: every check a token must pass.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::Algorithm;

use crate::clock::unix_now;
use crate::keyset::Generation;
use crate::token::{Parts, RawClaims};
use crate::{Cache, Claims, KeySet, MEMBER_AUDIENCE, MEMBER_ISSUER, SERVICE_TOKEN_SECONDS};
use crate::{TokenError, keyset};

/// How far the clocks of two machines may differ.
pub const LEEWAY_SECONDS: u64 = 5;

/// Tokens that the cache shared between threads remembers.
const SHARED_CAPACITY: usize = 2048;
/// Parts of the shared cache, so that threads seldom wait for each other.
const SHARDS: usize = 8;

/// Whose tokens a verifier takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuer {
    /// Members': `iss` is [`MEMBER_ISSUER`], and the key is bound to no service.
    Members,
    /// Services': `iss` is the service that the key is bound to, and the token lives at most
    /// [`SERVICE_TOKEN_SECONDS`].
    Services,
}

/// Verifies tokens. Clones share keys and cache.
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<Inner>,
}

struct Inner {
    keys: KeySet,
    issuer: Issuer,
    audience: String,
    shards: [Mutex<Cache>; SHARDS],
    signatures_checked: AtomicU64,
}

impl Verifier {
    /// A verifier of tokens from this issuer for this audience, by these keys.
    pub fn new(keys: KeySet, issuer: Issuer, audience: &str) -> Self {
        Self {
            inner: Arc::new(Inner {
                keys,
                issuer,
                audience: audience.to_owned(),
                shards: std::array::from_fn(|_| Mutex::new(Cache::new(SHARED_CAPACITY / SHARDS))),
                signatures_checked: AtomicU64::new(0),
            }),
        }
    }

    /// A verifier of member tokens.
    pub fn members(keys: KeySet) -> Self {
        Self::new(keys, Issuer::Members, MEMBER_AUDIENCE)
    }

    /// A verifier of the tokens with which services call the service `callee`.
    pub fn services(keys: KeySet, callee: &str) -> Self {
        Self::new(keys, Issuer::Services, callee)
    }

    /// The keys it believes.
    pub fn keys(&self) -> &KeySet {
        &self.inner.keys
    }

    /// What a good token says. Remembers good tokens, for all threads.
    ///
    /// # Errors
    /// The first check that the token failed.
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        self.verify_at(token, unix_now())
    }

    /// The same with a cache that belongs to the caller's thread: no lock is taken.
    ///
    /// # Errors
    /// The first check that the token failed.
    pub fn verify_with(&self, cache: &mut Cache, token: &str) -> Result<Arc<Claims>, TokenError> {
        self.verify_with_at(cache, token, unix_now())
    }

    /// The same with no cache at all.
    ///
    /// # Errors
    /// The first check that the token failed.
    pub fn verify_uncached(&self, token: &str) -> Result<Claims, TokenError> {
        self.check(&self.inner.keys.current(), token, unix_now())
    }

    /// How many signatures it has checked, ever: what the caches save is not among them, nor is
    /// any token that was refused by its looks or for its key.
    pub fn signatures_checked(&self) -> u64 {
        self.inner.signatures_checked.load(Ordering::Relaxed)
    }

    pub(crate) fn verify_at(&self, token: &str, now: u64) -> Result<Arc<Claims>, TokenError> {
        if token.len() > crate::MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge);
        }
        // The last characters belong to the signature, which is as good as random; the very last
        // one carries two bits only.
        let byte = token
            .as_bytes()
            .iter()
            .rev()
            .nth(1)
            .copied()
            .unwrap_or_default();
        let shard = &self.inner.shards[usize::from(byte) % SHARDS];
        let keys = self.inner.keys.current();
        {
            let mut cache = shard.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(claims) = remembered(&mut cache, keys.number, token, now)? {
                return Ok(claims);
            }
        }
        // The lock is not held over the signature check, which costs a hundred times the rest.
        let claims = Arc::new(self.check(&keys, token, now)?);
        let mut cache = shard.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(keys.number, token, Arc::clone(&claims), now);
        Ok(claims)
    }

    pub(crate) fn verify_with_at(
        &self,
        cache: &mut Cache,
        token: &str,
        now: u64,
    ) -> Result<Arc<Claims>, TokenError> {
        if token.len() > crate::MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge);
        }
        let keys = self.inner.keys.current();
        if let Some(claims) = remembered(cache, keys.number, token, now)? {
            return Ok(claims);
        }
        let claims = Arc::new(self.check(&keys, token, now)?);
        cache.insert(keys.number, token, Arc::clone(&claims), now);
        Ok(claims)
    }

    fn check(&self, keys: &Generation, token: &str, now: u64) -> Result<Claims, TokenError> {
        let parts = Parts::parse(token)?;
        let Some(key) = keys.get(&parts.kid) else {
            self.inner.keys.unknown_kid().notify_one();
            return Err(TokenError::UnknownKey);
        };
        self.check_signature(&parts, key)?;
        let claims = parts.claims()?;
        self.check_issuer(&claims, key)?;
        if claims.aud != self.inner.audience {
            return Err(TokenError::Audience);
        }
        if has_expired(claims.exp, now) {
            return Err(TokenError::Expired);
        }
        let latest = now.saturating_add(LEEWAY_SECONDS);
        if claims.iat > latest || claims.nbf.is_some_and(|not_before| not_before > latest) {
            return Err(TokenError::NotYetValid);
        }
        let RawClaims {
            iss,
            sub,
            aud,
            exp,
            iat,
            nbf: _,
            roles,
        } = claims;
        Ok(Claims {
            iss,
            sub,
            aud,
            exp,
            iat,
            roles,
            kid: parts.kid,
        })
    }

    fn check_signature(
        &self,
        parts: &Parts<'_>,
        key: &keyset::PublicKey,
    ) -> Result<(), TokenError> {
        self.inner
            .signatures_checked
            .fetch_add(1, Ordering::Relaxed);
        let verdict = jsonwebtoken::crypto::verify(
            parts.signature,
            parts.signed.as_bytes(),
            &key.key,
            Algorithm::EdDSA,
        );
        if matches!(verdict, Ok(true)) {
            Ok(())
        } else {
            Err(TokenError::Signature)
        }
    }

    fn check_issuer(&self, claims: &RawClaims, key: &keyset::PublicKey) -> Result<(), TokenError> {
        match (self.inner.issuer, &key.service) {
            (Issuer::Members, None) if claims.iss == MEMBER_ISSUER => Ok(()),
            (Issuer::Services, Some(service)) if claims.iss == *service => {
                if claims.exp.saturating_sub(claims.iat) > SERVICE_TOKEN_SECONDS {
                    return Err(TokenError::Lifetime);
                }
                Ok(())
            }
            _ => Err(TokenError::Issuer),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("issuer", &self.inner.issuer)
            .field("audience", &self.inner.audience)
            .field("keys", &self.inner.keys)
            .finish_non_exhaustive()
    }
}

/// What the cache knows, if it has not expired meanwhile.
fn remembered(
    cache: &mut Cache,
    generation: u64,
    token: &str,
    now: u64,
) -> Result<Option<Arc<Claims>>, TokenError> {
    match cache.get(generation, token) {
        Some(claims) if has_expired(claims.exp, now) => {
            cache.remove(token);
            Err(TokenError::Expired)
        }
        known => Ok(known),
    }
}

/// "On or after" `exp` a token is refused (RFC 7519 section 4.1.4), give or take the leeway.
fn has_expired(exp: u64, now: u64) -> bool {
    now >= exp.saturating_add(LEEWAY_SECONDS)
}

#[cfg(test)]
mod tests;
