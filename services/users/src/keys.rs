//! The keys that sign members' tokens.
//!
//! There is one key that signs, one that is published and waits, and those that signed before and
//! still verify. A key is published before it is used, so that nobody meets a token by a key they
//! cannot know. Replicas share the keys through the store and change them under its lock, so they
//! agree; a replica that has not looked yet goes on signing with a key that still verifies.

mod rotation;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use app::{City, Live, with_causes};
use arc_swap::ArcSwap;
use identity::{Claims, Jwks, KeySet, SigningKey};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::Settings;
use crate::domain::{Member, Timestamp};
use crate::error::Error;
use crate::store::{KeyRow, Store};
use rotation::{Rules, next_step};

/// How often a replica looks at what the others have done, and at the time.
const LOOK_AROUND: Duration = Duration::from_secs(60);
/// How long a key is published, at least, before it signs.
const PUBLISHED_BEFORE_USE: Duration = Duration::from_secs(5 * 60);
/// How much longer than its tokens a retired key verifies: for replicas that have not looked
/// around yet, and for clocks that differ.
const GRACE: Duration = Duration::from_secs(5 * 60);

/// The signing keys, as this replica knows them.
pub(crate) struct Keys {
    store: Store,
    settings: Live<Settings>,
    /// The key that signs.
    active: ArcSwap<SigningKey>,
    published: watch::Sender<Jwks>,
    /// What this service itself verifies members' tokens with: it need not wait for the registry.
    own_verifier: KeySet,
    /// The ids that the registry's document has; without a registry nobody waits for it.
    seen_published: Mutex<Option<Vec<String>>>,
}

impl Keys {
    /// Reads the keys, or makes the first.
    pub(crate) async fn open(store: Store, city: &City<Settings>) -> Result<Arc<Self>, Error> {
        let known = city.registry.is_some().then(Vec::new);
        Self::with(
            store,
            city.settings.clone(),
            city.member_keys.clone(),
            known,
        )
        .await
    }

    async fn with(
        store: Store,
        settings: Live<Settings>,
        own_verifier: KeySet,
        seen_published: Option<Vec<String>>,
    ) -> Result<Arc<Self>, Error> {
        let rules = rules(&settings.load(), seen_published.clone());
        let now = Timestamp::now();
        let rows = store
            .change_keys(now, |rows| next_step(rows, now, &rules))
            .await?;
        let (active, jwks) = ring(&rows)?;
        own_verifier.replace(jwks.clone());
        Ok(Arc::new(Self {
            store,
            settings,
            active: ArcSwap::from_pointee(active),
            published: watch::Sender::new(jwks),
            own_verifier,
            seen_published: Mutex::new(seen_published),
        }))
    }

    /// An access token for a member, and for how many seconds it is good.
    pub(crate) fn access_token(&self, member: &Member, now: Timestamp) -> (String, u64) {
        let ttl = self.settings.load().access_token_seconds;
        let claims = Claims::member(
            &member.id.to_string(),
            member.role.names(),
            now.seconds(),
            ttl,
        );
        (self.active.load().sign(&claims), ttl)
    }

    /// The public keys, as of the last look.
    pub(crate) fn public(&self) -> Jwks {
        self.published.borrow().clone()
    }

    /// Sees every change of the public keys.
    pub(crate) fn changes(&self) -> watch::Receiver<Jwks> {
        self.published.subscribe()
    }

    /// The registry's document has these keys now.
    pub(crate) fn saw_published(&self, jwks: &Jwks) {
        let kids = jwks.keys.iter().filter_map(|key| key.kid.clone()).collect();
        *self
            .seen_published
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(kids);
    }

    /// Looks at the store, and takes the next step of the rotation if its time has come.
    pub(crate) async fn look_around(&self, now: Timestamp) -> Result<(), Error> {
        let seen = self
            .seen_published
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let rules = rules(&self.settings.load(), seen);
        let mut rows = self.store.keys().await?;
        // Mostly there is nothing to do; then no lock is taken.
        if !next_step(&rows, now, &rules)?.is_empty() {
            rows = self
                .store
                .change_keys(now, |rows| next_step(rows, now, &rules))
                .await?;
        }
        let (active, jwks) = ring(&rows)?;
        if active.kid() != self.active.load().kid() {
            tracing::info!(kid = active.kid(), "signing with another key");
            self.active.store(Arc::new(active));
        }
        self.own_verifier.replace(jwks.clone());
        self.published.send_if_modified(|published| {
            let news = *published != jwks;
            if news {
                *published = jwks;
            }
            news
        });
        Ok(())
    }
}

/// Keeps the keys turning over until `stopping` fires.
pub(crate) async fn turn_over(keys: Arc<Keys>, stopping: CancellationToken) {
    let mut settings = keys.settings.clone();
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_AROUND) => {}
            _ = settings.changed() => {}
        }
        if let Err(error) = keys.look_around(Timestamp::now()).await {
            tracing::warn!(
                error = with_causes(&error),
                "signing keys were not looked after"
            );
        }
    }
}

fn rules(settings: &Settings, seen_published: Option<Vec<String>>) -> Rules {
    Rules {
        period: Duration::from_secs(settings.key_rotation_hours * 3_600),
        lead: PUBLISHED_BEFORE_USE,
        keep: Duration::from_secs(settings.access_token_seconds) + GRACE,
        seen_published,
    }
}

/// The key that signs, and every key that verifies.
fn ring(rows: &[KeyRow]) -> Result<(SigningKey, Jwks), Error> {
    let mut active = None;
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        let key = SigningKey::from_pem(&row.private_key)?;
        keys.push(key.public_jwk());
        if row.activated_at.is_some() && row.retired_until.is_none() {
            active = Some(key);
        }
    }
    let active = active.ok_or(Error::Corrupt("signing_keys: none is active"))?;
    Ok((active, Jwks { keys }))
}

#[cfg(test)]
mod tests {
    use identity::Verifier;

    use super::*;
    use crate::domain::{Email, MemberId, Name, Role};
    use crate::store::testing;

    const HOUR: Duration = Duration::from_secs(3_600);

    fn settings() -> Live<Settings> {
        Live::fixed(Settings {
            key_rotation_hours: 1,
            ..Settings::default()
        })
    }

    async fn keys(store: &Store, seen: Option<Vec<String>>) -> Arc<Keys> {
        Keys::with(store.clone(), settings(), KeySet::new(), seen)
            .await
            .unwrap()
    }

    fn member() -> Member {
        Member {
            id: MemberId::new(),
            email: Email::parse("mina@example.com").unwrap(),
            name: Name::parse("Mina").unwrap(),
            role: Role::Admin,
            created_at: Timestamp::now(),
        }
    }

    fn active(keys: &Keys) -> String {
        keys.active.load().kid().to_owned()
    }

    fn kids(keys: &Keys) -> Vec<String> {
        keys.public()
            .keys
            .into_iter()
            .filter_map(|key| key.kid)
            .collect()
    }

    #[tokio::test]
    async fn a_token_is_verified_by_the_published_keys_before_and_after_a_rotation() {
        let (store, _folder) = testing::store().await;
        let keys = keys(&store, None).await;
        assert_eq!(kids(&keys).len(), 2, "one signs, one waits");
        let verifier = Verifier::members(keys.own_verifier.clone());
        let now = Timestamp::now();
        let (before, _) = keys.access_token(&member(), now);
        assert!(verifier.verify(&before).unwrap().is_admin());

        let first = active(&keys);
        keys.look_around(now.plus(HOUR)).await.unwrap();
        assert_ne!(active(&keys), first);
        assert!(kids(&keys).contains(&first), "what it signed is still good");
        let (after, _) = keys.access_token(&member(), now);
        assert_ne!(before, after);
        assert!(verifier.verify(&before).is_ok() && verifier.verify(&after).is_ok());

        keys.look_around(now.plus(HOUR + Duration::from_secs(900) + GRACE))
            .await
            .unwrap();
        assert!(!kids(&keys).contains(&first), "its last token has expired");
        assert_eq!(kids(&keys).len(), 2);
    }

    #[tokio::test]
    async fn a_verifier_that_saw_only_the_first_publication_knows_the_next_key() {
        let (store, _folder) = testing::store().await;
        let keys = keys(&store, None).await;
        let far_away = KeySet::new();
        far_away.replace(keys.public());
        let now = Timestamp::now();
        keys.look_around(now.plus(HOUR)).await.unwrap();
        let (token, _) = keys.access_token(&member(), now);
        assert!(Verifier::members(far_away).verify(&token).is_ok());
    }

    #[tokio::test]
    async fn a_key_that_the_registry_has_not_seen_is_not_used() {
        let (store, _folder) = testing::store().await;
        let keys = keys(&store, Some(Vec::new())).await;
        let first = active(&keys);
        let late = Timestamp::now().plus(48 * HOUR);
        keys.look_around(late).await.unwrap();
        assert_eq!(
            active(&keys),
            first,
            "nobody else could verify with the next one"
        );
        keys.saw_published(&keys.public());
        keys.look_around(late).await.unwrap();
        assert_ne!(active(&keys), first);
    }

    #[tokio::test]
    async fn replicas_that_start_and_rotate_together_agree() {
        let (store, folder) = testing::store().await;
        let mut replicas = Vec::new();
        for _ in 0..3 {
            replicas.push(testing::open(&folder).await);
        }
        let opened = replicas.into_iter().map(|store| {
            tokio::spawn(async move {
                Keys::with(store, settings(), KeySet::new(), None)
                    .await
                    .unwrap()
            })
        });
        let mut replicas = Vec::new();
        for one in opened.collect::<Vec<_>>() {
            replicas.push(one.await.unwrap());
        }
        let agree = |replicas: &[Arc<Keys>]| {
            let all: Vec<_> = replicas
                .iter()
                .map(|keys| (active(keys), kids(keys)))
                .collect();
            assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
            all[0].clone()
        };
        let (first, _) = agree(&replicas);

        let due = Timestamp::now().plus(HOUR);
        let turned = replicas
            .iter()
            .cloned()
            .map(|keys| tokio::spawn(async move { keys.look_around(due).await.unwrap() }));
        for one in turned.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        for keys in &replicas {
            keys.look_around(due).await.unwrap();
        }
        let (second, kids) = agree(&replicas);
        assert_ne!(first, second);
        assert_eq!(kids.len(), 3, "rotated once, not three times");
        drop(store);
    }

    #[tokio::test]
    async fn keys_outlive_a_restart() {
        let (store, _folder) = testing::store().await;
        let before = keys(&store, None).await;
        let after = keys(&store, None).await;
        assert_eq!(
            (active(&before), kids(&before)),
            (active(&after), kids(&after))
        );
    }
}
