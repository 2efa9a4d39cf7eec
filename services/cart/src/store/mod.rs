//! The carts, one value a member.
//!
//! A change reads the cart, decides, and writes it by compare-and-set: what came in between is
//! never overwritten. A cart that expires is removed whole; the floor, from which carts without a
//! record count, then rises above its version, so that no version of a cart ever comes again.

mod record;

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use app::{Timestamp, with_causes};
use faults::{Faults, Injected, Point};
use stores::kv::{Collection, Kv, KvError};
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::{Cart, Full, Line, MemberId, ProductId};
use crate::metrics::{Change, Metrics};
pub(crate) use record::Unreadable;

/// How often a change is tried while other processes change the same cart.
const ATTEMPTS: usize = 32;

/// Carts of which no two are changed at once, within this process, share one of so many turns.
const TURNS: usize = 64;

/// Carts that a sweep looks at together.
const PAGE: usize = 256;

/// Reading is a touch too, and writes one down only when this part of the time to live is over:
/// most reads stay reads.
const TOUCHES_PER_LIFE: u32 = 30;

const FLOOR: &str = "version_floor";

/// Why a cart was not read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreFailure {
    #[error(transparent)]
    Full(#[from] Full),
    #[error("others change the cart all the time")]
    Contended,
    #[error("the record of {key} cannot be read")]
    Unreadable {
        key: String,
        #[source]
        cause: Unreadable,
    },
    #[error("the record of the version floor cannot be read")]
    Floor,
    #[error(transparent)]
    Injected(#[from] Injected),
    #[error(transparent)]
    Store(#[from] KvError),
}

/// A commit and the places around it where a fault may strike.
#[derive(Debug, Clone)]
struct Commit {
    before: Point,
    after: Point,
}

#[derive(Debug, Clone)]
struct Commits {
    put: Commit,
    remove: Commit,
    clear: Commit,
    empty: Commit,
    touch: Commit,
    floor: Commit,
    expire: Commit,
}

impl Commits {
    fn new(faults: &Faults) -> Self {
        let commit = |before, after, about| Commit {
            before: faults.point(before, about),
            after: faults.point(after, about),
        };
        Self {
            put: commit(
                "put.before_commit",
                "put.after_commit",
                "a product is put into a cart",
            ),
            remove: commit(
                "remove.before_commit",
                "remove.after_commit",
                "a product is taken out of a cart",
            ),
            clear: commit(
                "clear.before_commit",
                "clear.after_commit",
                "a member empties the cart",
            ),
            empty: commit(
                "empty.before_commit",
                "empty.after_commit",
                "orders empties the cart that was bought",
            ),
            touch: commit(
                "touch.before_commit",
                "touch.after_commit",
                "a cart that is read lives on",
            ),
            floor: commit(
                "floor.before_commit",
                "floor.after_commit",
                "the floor rises above the version of a cart that expires",
            ),
            expire: commit(
                "expire.before_commit",
                "expire.after_commit",
                "a cart that expired is removed",
            ),
        }
    }

    fn of(&self, change: Change) -> &Commit {
        match change {
            Change::Put => &self.put,
            Change::Remove => &self.remove,
            Change::Clear => &self.clear,
            Change::Empty => &self.empty,
        }
    }
}

/// Cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    carts: Collection,
    counters: Collection,
    commits: Commits,
    turns: Arc<Turns>,
    metrics: Metrics,
}

/// A cart, and the bytes that it was read from.
struct Read {
    cart: Cart,
    record: Option<Stored>,
}

struct Stored {
    bytes: Vec<u8>,
    touched_at: Timestamp,
}

impl Store {
    pub(crate) fn new(kv: &Kv, faults: &Faults, metrics: Metrics) -> Self {
        Self {
            carts: kv.collection("carts"),
            counters: kv.collection("counters"),
            commits: Commits::new(faults),
            turns: Arc::default(),
            metrics,
        }
    }

    /// The member's cart, touched: it lives for another `ttl` from `now`, or nearly.
    pub(crate) async fn cart(
        &self,
        member: MemberId,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Cart, StoreFailure> {
        let read = self.read(member).await?;
        let Some(stored) = read.record else {
            return Ok(read.cart);
        };
        if now > stored.touched_at.plus(ttl / TOUCHES_PER_LIFE) {
            let touched = record::encode(&read.cart, now);
            // Lost to a change, which is a touch too.
            self.commit(&self.commits.touch, member, Some(stored.bytes), touched)
                .await?;
        }
        Ok(read.cart)
    }

    pub(crate) async fn put(
        &self,
        member: MemberId,
        line: Line,
        now: Timestamp,
    ) -> Result<Cart, StoreFailure> {
        let put = |cart: &Cart| Ok(cart.put(line)?);
        self.change(member, Change::Put, now, put).await
    }

    pub(crate) async fn remove(
        &self,
        member: MemberId,
        product: ProductId,
        now: Timestamp,
    ) -> Result<Cart, StoreFailure> {
        let remove = |cart: &Cart| Ok(cart.without(product));
        self.change(member, Change::Remove, now, remove).await
    }

    pub(crate) async fn clear(
        &self,
        member: MemberId,
        now: Timestamp,
    ) -> Result<Cart, StoreFailure> {
        let clear = |cart: &Cart| Ok(cart.emptied());
        self.change(member, Change::Clear, now, clear).await
    }

    /// Empties the cart if it still has that version: what came in since stays.
    pub(crate) async fn empty(
        &self,
        member: MemberId,
        version: u64,
        now: Timestamp,
    ) -> Result<Cart, StoreFailure> {
        let empty = |cart: &Cart| match cart.version() == version {
            true => Ok(cart.emptied()),
            false => Ok(None),
        };
        self.change(member, Change::Empty, now, empty).await
    }

    /// Removes carts that were not touched for `ttl`; how many.
    pub(crate) async fn sweep(&self, now: Timestamp, ttl: Duration) -> Result<u64, StoreFailure> {
        let mut removed = 0;
        let mut after: Option<String> = None;
        loop {
            let page = self.carts.scan(after.as_deref(), PAGE).await?;
            for (key, bytes) in &page {
                let (cart, touched_at) = match record::decode(bytes) {
                    Ok(read) => read,
                    Err(cause) => {
                        // The others are not to suffer for it.
                        let error = self.unreadable(key, cause);
                        tracing::error!(error = with_causes(&error), "not swept");
                        continue;
                    }
                };
                if now > touched_at.plus(ttl) && self.expire(key, bytes, &cart).await? {
                    self.metrics.expired();
                    removed += 1;
                }
            }
            match page.into_iter().last() {
                Some((last, _)) => after = Some(last),
                None => return Ok(removed),
            }
        }
    }

    /// Removes a cart as it was read; false if it was touched since.
    async fn expire(&self, key: &str, bytes: &[u8], cart: &Cart) -> Result<bool, StoreFailure> {
        let _turn = self.turns.of(key).await;
        // Expiry is a change: what the version had in it is gone.
        self.raise_floor(cart.version() + 1).await?;
        let commit = &self.commits.expire;
        commit.before.pass().await?;
        let expected = Some(bytes.to_vec());
        let removed = self.carts.compare_and_set(key, expected, None).await?;
        commit.after.pass().await?;
        Ok(removed)
    }

    async fn raise_floor(&self, to: u64) -> Result<(), StoreFailure> {
        for _ in 0..ATTEMPTS {
            let bytes = self.counters.get(FLOOR).await?;
            if floor(bytes.as_deref())? >= to {
                return Ok(());
            }
            self.commits.floor.before.pass().await?;
            let new = Some(to.to_string().into_bytes());
            let raised = self.counters.compare_and_set(FLOOR, bytes, new).await?;
            self.commits.floor.after.pass().await?;
            if raised {
                return Ok(());
            }
        }
        Err(StoreFailure::Contended)
    }

    /// What `decide` makes of the cart, durable; the cart as it is where that is nothing.
    async fn change(
        &self,
        member: MemberId,
        change: Change,
        now: Timestamp,
        decide: impl Fn(&Cart) -> Result<Option<Cart>, StoreFailure>,
    ) -> Result<Cart, StoreFailure> {
        let _turn = self.turns.of(&member.to_string()).await;
        let commit = self.commits.of(change);
        for _ in 0..ATTEMPTS {
            let Read { cart, record } = self.read(member).await?;
            let Some(next) = decide(&cart)? else {
                return Ok(cart);
            };
            let expected = record.map(|stored| stored.bytes);
            let new = record::encode(&next, now);
            if self.commit(commit, member, expected, new).await? {
                self.metrics.changed(change);
                return Ok(next);
            }
            self.metrics.conflicted();
        }
        Err(StoreFailure::Contended)
    }

    async fn commit(
        &self,
        commit: &Commit,
        member: MemberId,
        expected: Option<Vec<u8>>,
        new: Vec<u8>,
    ) -> Result<bool, StoreFailure> {
        commit.before.pass().await?;
        let key = member.to_string();
        let committed = self
            .carts
            .compare_and_set(&key, expected, Some(new))
            .await?;
        commit.after.pass().await?;
        Ok(committed)
    }

    async fn read(&self, member: MemberId) -> Result<Read, StoreFailure> {
        let key = member.to_string();
        let Some(bytes) = self.carts.get(&key).await? else {
            // After the record, never before: a sweep raises the floor first.
            let floor = floor(self.counters.get(FLOOR).await?.as_deref())?;
            return Ok(Read {
                cart: Cart::empty(floor),
                record: None,
            });
        };
        let read = record::decode(&bytes).map_err(|cause| self.unreadable(&key, cause));
        let (cart, touched_at) = read?;
        let record = Some(Stored { bytes, touched_at });
        Ok(Read { cart, record })
    }

    fn unreadable(&self, key: &str, cause: Unreadable) -> StoreFailure {
        self.metrics.unreadable();
        let key = key.to_owned();
        StoreFailure::Unreadable { key, cause }
    }
}

fn floor(bytes: Option<&[u8]>) -> Result<u64, StoreFailure> {
    let Some(bytes) = bytes else {
        return Ok(0);
    };
    let text = std::str::from_utf8(bytes).ok();
    let floor = text.and_then(|text| text.parse().ok());
    floor.ok_or(StoreFailure::Floor)
}

/// Who changes a cart waits here for who does already, first come first served: of many that are
/// told to change one cart at once none then works in vain.
#[derive(Debug)]
struct Turns {
    hasher: RandomState,
    turns: Vec<Mutex<()>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            turns: (0..TURNS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Turns {
    async fn of(&self, key: &str) -> MutexGuard<'_, ()> {
        let hash = self.hasher.hash_one(key) % TURNS as u64;
        // Below `TURNS`.
        self.turns[usize::try_from(hash).unwrap_or_default()]
            .lock()
            .await
    }
}
