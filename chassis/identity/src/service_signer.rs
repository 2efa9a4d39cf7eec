//! How a service says who it is when it calls another.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::clock::unix_now;
use crate::{Claims, SigningKey};

/// How long a service token lives, at most.
pub const SERVICE_TOKEN_SECONDS: u64 = 60;

/// A token is handed out again until it has less than this left: enough for the longest call
/// with all its retries, and for clocks that differ.
const RENEW_BELOW_SECONDS: u64 = 30;

/// More callees than any service has; a mistaken caller that mints names stays bounded.
const MAX_AUDIENCES: usize = 64;

/// Signs a service's own tokens, one an audience, and reuses each until it is near its end.
pub struct ServiceSigner {
    service: String,
    key: SigningKey,
    issued: Mutex<HashMap<String, Issued>>,
}

struct Issued {
    token: String,
    exp: u64,
}

impl ServiceSigner {
    /// A signer that speaks for `service` with the key that is that service's alone.
    pub fn new(service: &str, key: SigningKey) -> Self {
        Self {
            service: service.to_owned(),
            key,
            issued: Mutex::new(HashMap::new()),
        }
    }

    /// The service it speaks for.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The id of its key.
    pub fn kid(&self) -> &str {
        self.key.kid()
    }

    /// A token for the service `audience`, good for at least half a minute.
    pub fn token_for(&self, audience: &str) -> String {
        self.token_at(audience, unix_now())
    }

    fn token_at(&self, audience: &str, now: u64) -> String {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not keep a token from the future in use.
        let fresh = |known: &&Issued| {
            known.exp > now + RENEW_BELOW_SECONDS && known.exp <= now + SERVICE_TOKEN_SECONDS
        };
        if let Some(known) = issued.get(audience).filter(fresh) {
            return known.token.clone();
        }
        let claims = Claims::service(&self.service, audience, now);
        let token = self.key.sign(&claims);
        if issued.len() >= MAX_AUDIENCES {
            issued.clear();
        }
        issued.insert(
            audience.to_owned(),
            Issued {
                token: token.clone(),
                exp: claims.exp,
            },
        );
        token
    }
}

impl fmt::Debug for ServiceSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceSigner")
            .field("service", &self.service)
            .field("kid", &self.key.kid())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_reused_until_it_is_near_its_end() {
        let signer = ServiceSigner::new("catalog", SigningKey::generate().unwrap());
        let first = signer.token_at("registry", 1_000);
        assert_eq!(signer.token_at("registry", 1_029), first);
        let second = signer.token_at("registry", 1_030);
        assert_ne!(second, first, "30 s before its end it is renewed");
        assert_ne!(
            signer.token_at("users", 1_030),
            second,
            "each audience has its own"
        );
    }

    #[test]
    fn a_clock_set_back_renews_the_token() {
        let signer = ServiceSigner::new("catalog", SigningKey::generate().unwrap());
        let future = signer.token_at("registry", 10_000);
        assert_ne!(signer.token_at("registry", 1_000), future);
    }

    #[test]
    fn minted_audiences_stay_bounded() {
        let signer = ServiceSigner::new("catalog", SigningKey::generate().unwrap());
        for n in 0..1_000 {
            signer.token_at(&format!("made-up-{n}"), 1_000);
        }
        assert!(signer.issued.lock().unwrap().len() <= MAX_AUDIENCES);
    }

    #[test]
    fn debug_shows_no_token() {
        let signer = ServiceSigner::new("catalog", SigningKey::generate().unwrap());
        let token = signer.token_for("registry");
        let shown = format!("{signer:?}");
        assert!(
            !shown.contains(&token) && shown.contains(signer.kid()),
            "{shown}"
        );
    }
}
