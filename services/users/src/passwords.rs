//! Hashing passwords: off the asynchronous threads, few at a time, and refused rather than queued
//! without end. A hash is made to be costly; unbounded it would be the cheapest way to take the
//! service down.

mod argon2id;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use tracing::Instrument as _;

use crate::domain::Password;
use crate::error::Error;
use crate::metrics::PasswordMetrics;

/// The hash of a password that nobody has, with the parameters of every other: checking it takes
/// as long as checking a member's. Its output is no hash of anything.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$\
    Y2l0eXdhdGNoLW5vYm9keQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and checks passwords, so many at once and so many waiting.
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    metrics: PasswordMetrics,
}

impl Passwords {
    pub(crate) fn new(concurrency: usize, metrics: PasswordMetrics) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(concurrency)),
            waiting: AtomicUsize::new(0),
            metrics,
        }
    }

    /// The hash to keep, a PHC string.
    pub(crate) async fn hash(&self, password: Password, queue: usize) -> Result<String, Error> {
        let hashed = self.in_turn(queue, move || argon2id::hash(password.as_bytes()));
        Ok(hashed.await??)
    }

    /// Whether the password is the one that was hashed. Without a hash it is not, and to find
    /// that out takes as long.
    pub(crate) async fn verify(
        &self,
        password: Password,
        hash: Option<String>,
        queue: usize,
    ) -> Result<bool, Error> {
        let verified = self.in_turn(queue, move || {
            let expected = hash.as_deref().unwrap_or(NOBODYS);
            let matches = argon2id::verify(password.as_bytes(), expected)?;
            Ok::<_, argon2::password_hash::Error>(matches && hash.is_some())
        });
        Ok(verified.await??)
    }

    /// Does the work on a thread of its own when it is its turn. A caller that goes away while it
    /// waits gives its place up; once begun, the work keeps its turn to the end.
    async fn in_turn<T: Send + 'static>(
        &self,
        queue: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = match Arc::clone(&self.turns).try_acquire_owned() {
            Ok(turn) => turn,
            Err(_) => {
                let _place = Place::take(self, queue)?;
                // The semaphore is never closed.
                Arc::clone(&self.turns)
                    .acquire_owned()
                    .await
                    .map_err(|_| Error::Busy)?
            }
        };
        let timer = self.metrics.hash_seconds.clone();
        let span = tracing::info_span!("argon2id");
        let work = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let _timer = timer.start_timer();
            work()
        });
        Ok(work.instrument(span).await?)
    }
}

/// A place in the queue, given up when dropped.
struct Place<'a>(&'a Passwords);

impl<'a> Place<'a> {
    fn take(passwords: &'a Passwords, queue: usize) -> Result<Self, Error> {
        let taken =
            passwords
                .waiting
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                    (waiting < queue).then_some(waiting + 1)
                });
        match taken {
            Ok(_) => {
                passwords.metrics.waiting.inc();
                Ok(Self(passwords))
            }
            Err(_) => Err(Error::Busy),
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.waiting.dec();
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordHash;

    use super::*;

    fn passwords() -> Passwords {
        Passwords::new(
            1,
            crate::metrics::Metrics::register(&prometheus::Registry::new())
                .unwrap()
                .passwords(),
        )
    }

    fn given(text: &str) -> Password {
        Password::try_out(text.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn the_right_password_and_no_other_is_recognised() {
        let passwords = passwords();
        let hash = passwords.hash(given("correct horse"), 1).await.unwrap();
        let again = passwords.hash(given("correct horse"), 1).await.unwrap();
        assert_ne!(hash, again, "each has its own salt");
        assert!(
            passwords
                .verify(given("correct horse"), Some(hash.clone()), 1)
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify(given("correct house"), Some(hash), 1)
                .await
                .unwrap()
        );
        assert!(
            !passwords
                .verify(given("correct horse"), None, 1)
                .await
                .unwrap()
        );
    }

    #[test]
    fn nobodys_hash_costs_what_a_members_costs() {
        let nobodys = PasswordHash::new(NOBODYS).unwrap();
        let members = argon2id::hash(b"correct horse").unwrap();
        let members = PasswordHash::new(&members).unwrap();
        assert_eq!(nobodys.algorithm, members.algorithm);
        assert_eq!(nobodys.version, members.version);
        assert_eq!(nobodys.params, members.params);
        assert_eq!(nobodys.hash.unwrap().len(), members.hash.unwrap().len());
        assert_eq!(nobodys.salt.unwrap().len(), members.salt.unwrap().len());
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_place_given_up_is_free() {
        let passwords = Arc::new(passwords());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, begun) = tokio::sync::oneshot::channel();
        let busy = Arc::clone(&passwords);
        let first = tokio::spawn(async move {
            let work = move || {
                let _ = started.send(());
                held.recv().ok()
            };
            busy.in_turn(1, work).await
        });
        begun.await.unwrap();

        let mut second = Box::pin(passwords.in_turn(1, || ()));
        assert!(futures_util::poll!(&mut second).is_pending(), "it waits");
        assert!(matches!(
            passwords.in_turn(1, || ()).await,
            Err(Error::Busy)
        ));
        assert_eq!(passwords.metrics.waiting.get(), 1);
        drop(second);
        assert_eq!(passwords.metrics.waiting.get(), 0);

        let third = passwords.in_turn(1, || 3);
        release.send(()).unwrap();
        assert_eq!(third.await.unwrap(), 3);
        assert!(first.await.unwrap().is_ok());
    }
}
