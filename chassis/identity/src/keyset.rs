//! The public keys a verifier believes, exchanged while requests are served.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jsonwebtoken::DecodingKey;
use tokio::sync::Notify;

use crate::Jwks;

/// A shared, replaceable set of public keys. Clones are handles to the same set.
#[derive(Clone)]
pub struct KeySet {
    inner: Arc<Inner>,
}

struct Inner {
    current: ArcSwap<Generation>,
    unknown_kid: Notify,
}

/// One state of the set. Caches remember the number and drop what an older one vouched for.
pub(crate) struct Generation {
    pub(crate) number: u64,
    published: Jwks,
    keys: HashMap<String, PublicKey>,
}

pub(crate) struct PublicKey {
    pub(crate) key: DecodingKey,
    /// The service it is bound to, if any.
    pub(crate) service: Option<String>,
}

impl KeySet {
    /// An empty set: it knows no key, so it believes no token.
    pub fn new() -> Self {
        let empty = Generation {
            number: 0,
            published: Jwks::default(),
            keys: HashMap::new(),
        };
        Self {
            inner: Arc::new(Inner {
                current: ArcSwap::from_pointee(empty),
                unknown_kid: Notify::new(),
            }),
        }
    }

    /// Believes exactly these keys from now on.
    ///
    /// Keys of another kind and keys without `kid` are passed over; of two with the same `kid`
    /// the first counts. Tokens that caches have let in are verified again, unless the set is
    /// the one that is already there.
    pub fn replace(&self, published: Jwks) {
        let mut keys = HashMap::with_capacity(published.keys.len());
        for jwk in &published.keys {
            let (Some(kid), Some(public_key)) = (&jwk.kid, jwk.public_key()) else {
                continue;
            };
            keys.entry(kid.clone()).or_insert_with(|| PublicKey {
                key: DecodingKey::from_ed_der(&public_key),
                service: jwk.service.clone(),
            });
        }
        let next = Arc::new(Generation {
            number: 0,
            published,
            keys,
        });
        self.inner.current.rcu(|current| {
            if current.published == next.published {
                Arc::clone(current)
            } else {
                Arc::new(next.numbered(current.number + 1))
            }
        });
    }

    /// Poked when a token names a key that is not in the set: time to fetch the set anew.
    ///
    /// Any number of pokes before the next `notified().await` wake it once, and one waiter is
    /// woken a poke: there is one refetcher a set. How often it fetches is its own affair.
    pub fn unknown_kid(&self) -> &Notify {
        &self.inner.unknown_kid
    }

    /// The ids of the keys in the set, in no order.
    pub fn kids(&self) -> Vec<String> {
        self.inner.current.load().keys.keys().cloned().collect()
    }

    pub(crate) fn current(&self) -> arc_swap::Guard<Arc<Generation>> {
        self.inner.current.load()
    }
}

impl Default for KeySet {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet")
            .field("kids", &self.kids())
            .finish()
    }
}

impl Generation {
    fn numbered(&self, number: u64) -> Self {
        Self {
            number,
            published: self.published.clone(),
            keys: self.keys.clone(),
        }
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.get(kid)
    }
}

impl Clone for PublicKey {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            service: self.service.clone(),
        }
    }
}
