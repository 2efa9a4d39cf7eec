//! An order is taken: once for each key, written down before its first step, and answered in time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use app::{Live, Timestamp};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::Settings;
use crate::clients::{Cart, Clients, Price, Unsettled};
use crate::domain::{Event, Item, Key, Order, Recorded, Unorderable, total};
use crate::metrics::Metrics;
use crate::points::Points;
use crate::saga::Sagas;
use crate::store::{Answer, Asked, Kept, Store, StoreFailure};

/// How long after its budget a placing may take to write its answer before others say that it
/// never will.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a member asks for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub member_id: String,
    pub key: Key,
    pub note: Option<String>,
}

impl Wanted {
    /// What must be the same for a request to be the same; not the cart, which is what it was.
    fn fingerprint(&self) -> String {
        let asked = serde_json::json!({ "note": self.note }).to_string();
        URL_SAFE_NO_PAD.encode(digest(&SHA256, asked.as_bytes()))
    }
}

/// An answer that stays what it is under its key.
#[derive(Debug)]
pub(crate) struct Given {
    pub answer: Answer,
    /// Whether it was given before.
    pub replayed: bool,
}

/// Why nothing was started by a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the key was used for another request")]
    KeyReused,
    #[error("the first request with this key is not answered yet")]
    KeyInUse,
    #[error(transparent)]
    Unorderable(#[from] Unorderable),
    #[error("the cart cannot be read: {0}")]
    Cart(Unsettled),
    #[error("the prices cannot be asked for: {0}")]
    Catalog(Unsettled),
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

#[derive(Clone)]
pub(crate) struct Placing {
    pub store: Store,
    pub clients: Clients,
    pub sagas: Sagas,
    pub points: Arc<Points>,
    pub metrics: Metrics,
    pub settings: Live<Settings>,
}

impl Placing {
    /// Orders what is in the member's cart, and waits for the end until `budget` is over.
    pub(crate) async fn order(&self, wanted: Wanted, budget: Instant) -> Result<Given, Refusal> {
        let fingerprint = wanted.fingerprint();
        let kept = self.store.kept(&wanted.member_id, &wanted.key).await?;
        if let Some(kept) = kept {
            return self.given_before(kept, &fingerprint).await;
        }
        let (items, cart_version) = self.priced_cart(&wanted.member_id).await?;
        let total = total(&items)?;

        let now = Timestamp::now();
        let kept_for = Duration::from_secs(self.settings.load().key_kept_hours * 3_600);
        let left = budget.saturating_duration_since(Instant::now());
        let asked = Asked {
            member_id: wanted.member_id.clone(),
            key: wanted.key,
            fingerprint,
            answer_by: now.plus(left + LAST_WORDS),
            expires_at: now.plus(kept_for),
        };
        let log = vec![Recorded {
            seq: 1,
            at: now,
            event: Event::Placed {
                member_id: wanted.member_id,
                items,
                total,
                note: wanted.note,
                cart_version,
            },
        }];
        let id = Uuid::now_v7();
        let order = Order::of(id, &log).ok_or(StoreFailure::UnknownOrder)?;
        let held = self.sagas.lease();
        let (trace, at) = (app::trace::current(), &self.points.order);
        let placed = self
            .store
            .place(id, &log[0], &asked, &held.lease, &trace, at)
            .await;
        match placed {
            Ok(()) => {}
            Err(StoreFailure::KeyTaken) => {
                let kept = self.store.kept(&asked.member_id, &asked.key).await?;
                let kept = kept.ok_or(Refusal::KeyInUse)?;
                return self.given_before(kept, &asked.fingerprint).await;
            }
            Err(error) => return Err(error.into()),
        }
        self.metrics.placed();
        tracing::info!(order = %id, "order placed");

        let done = self.sagas.begin(order, log, held);
        // Whether it ended, is over the budget or is another instance's: the store knows.
        let _ = timeout_at(budget, done).await;
        let answer = self.store.answer(id, &self.points.answer).await?;
        Ok(Given {
            answer,
            replayed: false,
        })
    }

    async fn given_before(&self, kept: Kept, fingerprint: &str) -> Result<Given, Refusal> {
        if kept.fingerprint != fingerprint {
            return Err(Refusal::KeyReused);
        }
        let answer = match kept.answer {
            Some(answer) => answer,
            None if Timestamp::now() < kept.answer_by => return Err(Refusal::KeyInUse),
            // Whoever placed it is gone and will not answer any more: this does.
            None => self.store.answer(kept.order, &self.points.answer).await?,
        };
        Ok(Given {
            answer,
            replayed: true,
        })
    }

    /// What is in the cart, at the names and prices of now, and the cart's version.
    async fn priced_cart(&self, member: &str) -> Result<(Vec<Item>, u64), Refusal> {
        let read = self.clients.cart.read(member);
        let cart: Cart = self.points.cart.pass(read).await.map_err(Refusal::Cart)?;
        if cart.items.is_empty() {
            return Err(Unorderable::CartEmpty.into());
        }
        let ids: Vec<_> = cart.items.iter().map(|line| line.product_id).collect();
        let prices = self.clients.catalog.prices(&ids);
        let prices = self.points.prices.pass(prices).await;
        let prices = prices.map_err(Refusal::Catalog)?.into_iter();
        let mut prices: HashMap<_, _> = prices.map(|price| (price.product_id, price)).collect();

        let (mut items, mut unknown) = (Vec::with_capacity(ids.len()), Vec::new());
        for line in cart.items {
            match prices.remove(&line.product_id) {
                Some(Price {
                    product_id,
                    name,
                    price,
                }) => items.push(Item {
                    product_id,
                    name,
                    quantity: line.quantity,
                    price,
                }),
                None => unknown.push(line.product_id),
            }
        }
        if !unknown.is_empty() {
            return Err(Unorderable::UnknownProduct(unknown).into());
        }
        Ok((items, cart.version))
    }
}
