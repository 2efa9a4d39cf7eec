use sqlx::Row as _;
use uuid::Uuid;

use super::{Store, members};
use crate::domain::{Member, MemberId, Timestamp, TokenHash};
use crate::error::Error;

/// What came of a refresh token.
#[derive(Debug)]
pub(crate) enum Refreshed {
    /// It was good and is used up; its successor is in force.
    Renewed(Box<Member>),
    /// Unknown, expired, or of a session that has ended.
    Refused,
    /// It had been used before: somebody else has it too. The session has ended.
    Reused {
        /// The session, for the log.
        session: String,
    },
}

impl Store {
    /// Opens a session with its first refresh token, and ends the member's oldest ones beyond
    /// `keep`.
    pub(crate) async fn open_session(
        &self,
        member: MemberId,
        token: &TokenHash,
        now: Timestamp,
        expires: Timestamp,
        keep: u32,
    ) -> Result<(), Error> {
        let session = Uuid::now_v7().to_string();
        let mut tx = self.sql.begin_write().await?;
        let insert = sqlx::query(
            "INSERT INTO sessions (id, member_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
        )
        .bind(&session)
        .bind(member.to_string())
        .bind(now.micros())
        .bind(expires.micros())
        .execute(&mut *tx);
        self.sql.run("INSERT", "sessions", insert).await?;
        let insert = sqlx::query(
            "INSERT INTO refresh_tokens (hash, session_id, expires_at) VALUES ($1, $2, $3)",
        )
        .bind(token.as_str())
        .bind(&session)
        .bind(expires.micros())
        .execute(&mut *tx);
        self.sql.run("INSERT", "refresh_tokens", insert).await?;
        // Ids are UUIDv7: their order is that of opening.
        let delete = sqlx::query(
            "DELETE FROM sessions WHERE member_id = $1 AND id NOT IN \
             (SELECT id FROM sessions WHERE member_id = $1 ORDER BY id DESC LIMIT $2)",
        )
        .bind(member.to_string())
        .bind(i64::from(keep))
        .execute(&mut *tx);
        self.sql.run("DELETE", "sessions", delete).await?;
        Ok(tx.commit().await?)
    }

    /// Exchanges a refresh token for its successor, or ends the session if it was used before.
    ///
    /// Of any number of simultaneous uses the statement that marks the token lets one through,
    /// on every engine and across replicas.
    pub(crate) async fn refresh(
        &self,
        token: &TokenHash,
        successor: &TokenHash,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Refreshed, Error> {
        let mut tx = self.sql.begin_write().await?;
        let mark = sqlx::query(
            "UPDATE refresh_tokens SET used_at = $1 \
             WHERE hash = $2 AND used_at IS NULL AND expires_at > $1",
        )
        .bind(now.micros())
        .bind(token.as_str())
        .execute(&mut *tx);
        let marked = self
            .sql
            .run("UPDATE", "refresh_tokens", mark)
            .await?
            .rows_affected()
            == 1;

        let select = sqlx::query(
            "SELECT t.session_id, t.used_at, s.revoked_at, \
                    m.id, m.email, m.name, m.role, m.created_at \
             FROM refresh_tokens t \
             JOIN sessions s ON s.id = t.session_id \
             JOIN members m ON m.id = s.member_id \
             WHERE t.hash = $1",
        )
        .bind(token.as_str())
        .fetch_optional(&mut *tx);
        let Some(row) = self.sql.run("SELECT", "refresh_tokens", select).await? else {
            return Ok(Refreshed::Refused);
        };
        let session: String = row.try_get("session_id")?;
        let revoked = row.try_get::<Option<i64>, _>("revoked_at")?.is_some();
        let used = row.try_get::<Option<i64>, _>("used_at")?.is_some();

        if !marked && used {
            let revoke = sqlx::query(
                "UPDATE sessions SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL",
            )
            .bind(now.micros())
            .bind(&session)
            .execute(&mut *tx);
            self.sql.run("UPDATE", "sessions", revoke).await?;
            tx.commit().await?;
            return Ok(Refreshed::Reused { session });
        }
        if !marked || revoked {
            return Ok(Refreshed::Refused);
        }

        let insert = sqlx::query(
            "INSERT INTO refresh_tokens (hash, session_id, expires_at) VALUES ($1, $2, $3)",
        )
        .bind(successor.as_str())
        .bind(&session)
        .bind(expires.micros())
        .execute(&mut *tx);
        self.sql.run("INSERT", "refresh_tokens", insert).await?;
        let prolong = sqlx::query("UPDATE sessions SET expires_at = $1 WHERE id = $2")
            .bind(expires.micros())
            .bind(&session)
            .execute(&mut *tx);
        self.sql.run("UPDATE", "sessions", prolong).await?;
        let member = members::member(&row)?;
        tx.commit().await?;
        Ok(Refreshed::Renewed(Box::new(member)))
    }

    /// Ends the session that the token belongs to, whichever of its tokens it is.
    pub(crate) async fn end_session(&self, token: &TokenHash, now: Timestamp) -> Result<(), Error> {
        let revoke = sqlx::query(
            "UPDATE sessions SET revoked_at = $1 WHERE revoked_at IS NULL AND id = \
             (SELECT session_id FROM refresh_tokens WHERE hash = $2)",
        )
        .bind(now.micros())
        .bind(token.as_str())
        .execute(self.sql.pool());
        self.sql.run("UPDATE", "sessions", revoke).await?;
        Ok(())
    }

    /// Deletes sessions and tokens that have expired, and says how many rows that were.
    pub(crate) async fn sweep(&self, now: Timestamp) -> Result<u64, Error> {
        let mut tx = self.begin_maintenance(now).await?;
        // A session's tokens go with it.
        let sessions = sqlx::query("DELETE FROM sessions WHERE expires_at <= $1")
            .bind(now.micros())
            .execute(&mut *tx);
        let sessions = self
            .sql
            .run("DELETE", "sessions", sessions)
            .await?
            .rows_affected();
        let tokens = sqlx::query("DELETE FROM refresh_tokens WHERE expires_at <= $1")
            .bind(now.micros())
            .execute(&mut *tx);
        let tokens = self
            .sql
            .run("DELETE", "refresh_tokens", tokens)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(sessions + tokens)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{Email, Name, RefreshToken, Role};
    use crate::store::NewMember;
    use crate::store::testing;

    const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    async fn member(store: &Store) -> MemberId {
        let id = MemberId::new();
        let member = Member {
            id,
            email: Email::parse("mina@example.com").unwrap(),
            name: Name::parse("Mina").unwrap(),
            role: Role::Member,
            created_at: START,
        };
        let new = NewMember {
            member,
            password_hash: "none".to_owned(),
        };
        store.add_member(&new).await.unwrap();
        id
    }

    fn token() -> TokenHash {
        RefreshToken::generate().unwrap().hash()
    }

    #[tokio::test]
    async fn a_token_begets_the_next_until_it_expires() {
        let (store, _folder) = testing::store().await;
        let member = member(&store).await;
        let (first, second, third) = (token(), token(), token());
        store
            .open_session(member, &first, START, START.plus(DAY), 9)
            .await
            .unwrap();

        let refreshed = store
            .refresh(&first, &second, START, START.plus(2 * DAY))
            .await
            .unwrap();
        assert!(matches!(refreshed, Refreshed::Renewed(found) if found.id == member));
        let late = START.plus(2 * DAY);
        let refreshed = store
            .refresh(&second, &third, late, late.plus(DAY))
            .await
            .unwrap();
        assert!(
            matches!(refreshed, Refreshed::Refused),
            "expired on the dot: {refreshed:?}"
        );
        let refreshed = store.refresh(&third, &token(), START, late).await.unwrap();
        assert!(
            matches!(refreshed, Refreshed::Refused),
            "never came to be: {refreshed:?}"
        );
    }

    #[tokio::test]
    async fn a_second_use_ends_the_session_with_all_its_tokens() {
        let (store, _folder) = testing::store().await;
        let member = member(&store).await;
        let (stolen, next, other) = (token(), token(), token());
        let end = START.plus(DAY);
        store
            .open_session(member, &stolen, START, end, 9)
            .await
            .unwrap();
        store
            .open_session(member, &other, START, end, 9)
            .await
            .unwrap();

        assert!(matches!(
            store.refresh(&stolen, &next, START, end).await.unwrap(),
            Refreshed::Renewed(_)
        ));
        assert!(matches!(
            store.refresh(&stolen, &token(), START, end).await.unwrap(),
            Refreshed::Reused { .. }
        ));
        assert!(matches!(
            store.refresh(&next, &token(), START, end).await.unwrap(),
            Refreshed::Refused
        ));
        assert!(
            matches!(
                store.refresh(&other, &token(), START, end).await.unwrap(),
                Refreshed::Renewed(_)
            ),
            "the member's other session goes on"
        );
    }

    #[tokio::test]
    async fn of_simultaneous_uses_at_most_one_gets_through_and_the_session_ends() {
        let (store, folder) = testing::store().await;
        let other = testing::open(&folder).await;
        let member = member(&store).await;
        let first = token();
        let end = START.plus(DAY);
        store
            .open_session(member, &first, START, end, 9)
            .await
            .unwrap();

        let uses = (0..16).map(|n| {
            let replica = if n % 2 == 0 {
                store.clone()
            } else {
                other.clone()
            };
            let (first, successor) = (first.clone(), token());
            tokio::spawn(async move {
                let refreshed = replica
                    .refresh(&first, &successor, START, end)
                    .await
                    .unwrap();
                (refreshed, successor)
            })
        });
        let mut renewed = Vec::new();
        let mut reused = 0;
        for one in uses.collect::<Vec<_>>() {
            match one.await.unwrap() {
                (Refreshed::Renewed(_), successor) => renewed.push(successor),
                (Refreshed::Reused { .. }, _) => reused += 1,
                (Refreshed::Refused, _) => panic!("the token was known"),
            }
        }
        assert_eq!((renewed.len(), reused), (1, 15));
        let refreshed = store
            .refresh(&renewed[0], &token(), START, end)
            .await
            .unwrap();
        assert!(matches!(refreshed, Refreshed::Refused), "{refreshed:?}");
    }

    #[tokio::test]
    async fn log_out_ends_the_session_by_any_of_its_tokens() {
        let (store, _folder) = testing::store().await;
        let member = member(&store).await;
        let (first, second) = (token(), token());
        let end = START.plus(DAY);
        store
            .open_session(member, &first, START, end, 9)
            .await
            .unwrap();
        store.refresh(&first, &second, START, end).await.unwrap();

        store.end_session(&first, START).await.unwrap();
        let refreshed = store.refresh(&second, &token(), START, end).await.unwrap();
        assert!(matches!(refreshed, Refreshed::Refused), "{refreshed:?}");
        store.end_session(&token(), START).await.unwrap();
    }

    #[tokio::test]
    async fn a_member_keeps_the_newest_sessions() {
        let (store, _folder) = testing::store().await;
        let member = member(&store).await;
        let end = START.plus(DAY);
        let tokens: Vec<_> = (0..5).map(|_| token()).collect();
        for token in &tokens {
            store
                .open_session(member, token, START, end, 3)
                .await
                .unwrap();
        }
        for (n, old) in tokens.iter().enumerate() {
            let refreshed = store.refresh(old, &token(), START, end).await.unwrap();
            assert_eq!(
                matches!(refreshed, Refreshed::Renewed(_)),
                n >= 2,
                "session {n}"
            );
        }
    }

    #[tokio::test]
    async fn what_has_expired_is_swept_away() {
        let (store, _folder) = testing::store().await;
        let member = member(&store).await;
        let (old, used, fresh) = (token(), token(), token());
        store
            .open_session(member, &old, START, START.plus(DAY), 9)
            .await
            .unwrap();
        store
            .open_session(member, &used, START, START.plus(DAY), 9)
            .await
            .unwrap();
        store
            .refresh(&used, &fresh, START, START.plus(3 * DAY))
            .await
            .unwrap();

        assert_eq!(store.sweep(START).await.unwrap(), 0);
        let later = START.plus(2 * DAY);
        assert_eq!(
            store.sweep(later).await.unwrap(),
            2,
            "a session with its token, a used token"
        );
        assert_eq!(store.sweep(later).await.unwrap(), 0);
        let refreshed = store
            .refresh(&fresh, &token(), later, later.plus(DAY))
            .await
            .unwrap();
        assert!(matches!(refreshed, Refreshed::Renewed(_)), "{refreshed:?}");
    }
}
