use sqlx::AssertSqlSafe;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use stores::sql::{ResultExt as _, padded, places};

use super::Store;
use crate::domain::{Email, Member, MemberId, Name, Role, Timestamp};
use crate::error::Error;
use crate::events::UserRegistered;

/// A member to be, with the hash of their password.
pub(crate) struct NewMember {
    pub(crate) member: Member,
    pub(crate) password_hash: String,
}

impl Store {
    /// Adds a member, and tells the others.
    ///
    /// # Errors
    /// [`Error::EmailTaken`].
    pub(crate) async fn add_member(&self, new: &NewMember) -> Result<(), Error> {
        let NewMember {
            member,
            password_hash,
        } = new;
        let mut tx = self.sql.begin_write().await?;
        let insert = sqlx::query(
            "INSERT INTO members (id, email, name, password_hash, role, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(member.id.to_string())
        .bind(member.email.as_str())
        .bind(member.name.as_str())
        .bind(password_hash)
        .bind(member.role.as_str())
        .bind(member.created_at.micros())
        .execute(&mut *tx);
        self.sql
            .run("INSERT", "members", insert)
            .await
            .on_constraint("members_email_key", || Error::EmailTaken)?;
        let id = member.id.to_string();
        self.outbox
            .publish(&mut tx, &id, &UserRegistered::from(member))
            .await?;
        self.sign_up
            .pass(async { tx.commit().await.map_err(Error::from) })
            .await
    }

    pub(crate) async fn member(&self, id: MemberId) -> Result<Option<Member>, Error> {
        let select =
            sqlx::query("SELECT id, email, name, role, created_at FROM members WHERE id = $1")
                .bind(id.to_string())
                .fetch_optional(self.sql.pool());
        self.sql
            .run("SELECT", "members", select)
            .await?
            .as_ref()
            .map(member)
            .transpose()
    }

    /// What these are called, in the order of their ids; who is unknown is left out.
    pub(crate) async fn names(&self, ids: &[MemberId]) -> Result<Vec<(MemberId, Name)>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let text = format!(
            "SELECT id, name FROM members WHERE id IN ({}) ORDER BY id",
            places(ids.len())
        );
        let mut select = sqlx::query(AssertSqlSafe(text));
        for id in padded(ids) {
            select = select.bind(id.to_string());
        }
        let select = select.fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "members", select).await?;
        let name = |row: &AnyRow| {
            let text = |column: &str| row.try_get::<String, _>(column);
            let id = MemberId::parse(&text("id")?).ok_or(Error::Corrupt("members.id"))?;
            let name = Name::parse(&text("name")?).map_err(|_| Error::Corrupt("members.name"))?;
            Ok((id, name))
        };
        rows.iter().map(name).collect()
    }

    /// The member with this address, and the hash of their password.
    pub(crate) async fn credentials(
        &self,
        email: &Email,
    ) -> Result<Option<(Member, String)>, Error> {
        let select = sqlx::query(
            "SELECT id, email, name, role, created_at, password_hash FROM members \
             WHERE email = $1",
        )
        .bind(email.as_str())
        .fetch_optional(self.sql.pool());
        let Some(row) = self.sql.run("SELECT", "members", select).await? else {
            return Ok(None);
        };
        Ok(Some((member(&row)?, row.try_get("password_hash")?)))
    }

    pub(crate) async fn has_admin(&self) -> Result<bool, Error> {
        let select = sqlx::query("SELECT id FROM members WHERE role = $1 LIMIT 1")
            .bind(Role::Admin.as_str())
            .fetch_optional(self.sql.pool());
        Ok(self.sql.run("SELECT", "members", select).await?.is_some())
    }
}

/// The member in a row that has their five columns.
pub(super) fn member(row: &AnyRow) -> Result<Member, Error> {
    let text = |column: &str| row.try_get::<String, _>(column);
    Ok(Member {
        id: MemberId::parse(&text("id")?).ok_or(Error::Corrupt("members.id"))?,
        email: Email::parse(&text("email")?).map_err(|_| Error::Corrupt("members.email"))?,
        name: Name::parse(&text("name")?).map_err(|_| Error::Corrupt("members.name"))?,
        role: Role::parse(&text("role")?).ok_or(Error::Corrupt("members.role"))?,
        created_at: Timestamp::from_micros(row.try_get("created_at")?),
    })
}
