use sqlx::Row as _;
use sqlx::any::AnyRow;
use zeroize::Zeroizing;

use super::Store;
use crate::domain::Timestamp;
use crate::error::Error;

/// A signing key as it is kept.
#[derive(Clone)]
pub(crate) struct KeyRow {
    pub(crate) kid: String,
    /// PKCS#8 PEM.
    pub(crate) private_key: Zeroizing<String>,
    pub(crate) created_at: Timestamp,
    /// Since when it signs.
    pub(crate) activated_at: Option<Timestamp>,
    /// Until when it verifies, once it signs no more.
    pub(crate) retired_until: Option<Timestamp>,
}

/// What is to become of the keys.
#[derive(Default)]
pub(crate) struct KeyChanges {
    /// New or changed keys.
    pub(crate) put: Vec<KeyRow>,
    /// Ids of keys that verify nothing any more.
    pub(crate) delete: Vec<String>,
}

const SELECT: &str = "SELECT kid, private_key, created_at, activated_at, retired_until \
     FROM signing_keys ORDER BY created_at, kid";

impl Store {
    /// All keys, oldest first.
    pub(crate) async fn keys(&self) -> Result<Vec<KeyRow>, Error> {
        let select = sqlx::query(SELECT).fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "signing_keys", select).await?;
        rows.iter().map(key).collect()
    }

    /// Changes the keys by what `decide` makes of them, with no other replica deciding at the
    /// same time, and gives them as they are then.
    pub(crate) async fn change_keys(
        &self,
        now: Timestamp,
        decide: impl FnOnce(&[KeyRow]) -> Result<KeyChanges, Error> + Send,
    ) -> Result<Vec<KeyRow>, Error> {
        let mut tx = self.begin_maintenance(now).await?;
        let select = sqlx::query(SELECT).fetch_all(&mut *tx);
        let rows = self.sql.run("SELECT", "signing_keys", select).await?;
        let before = rows.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        let changes = decide(&before)?;
        for row in &changes.put {
            let upsert = sqlx::query(
                "INSERT INTO signing_keys \
                 (kid, private_key, created_at, activated_at, retired_until) \
                 VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (kid) DO UPDATE SET \
                 activated_at = excluded.activated_at, retired_until = excluded.retired_until",
            )
            .bind(&row.kid)
            .bind(row.private_key.as_str())
            .bind(row.created_at.micros())
            .bind(row.activated_at.map(Timestamp::micros))
            .bind(row.retired_until.map(Timestamp::micros))
            .execute(&mut *tx);
            self.sql.run("INSERT", "signing_keys", upsert).await?;
        }
        for kid in &changes.delete {
            let delete = sqlx::query("DELETE FROM signing_keys WHERE kid = $1")
                .bind(kid)
                .execute(&mut *tx);
            self.sql.run("DELETE", "signing_keys", delete).await?;
        }
        let select = sqlx::query(SELECT).fetch_all(&mut *tx);
        let rows = self.sql.run("SELECT", "signing_keys", select).await?;
        let after = rows.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        tx.commit().await?;
        Ok(after)
    }
}

fn key(row: &AnyRow) -> Result<KeyRow, Error> {
    let time = |column: &str| row.try_get::<Option<i64>, _>(column);
    Ok(KeyRow {
        kid: row.try_get("kid")?,
        private_key: Zeroizing::new(row.try_get("private_key")?),
        created_at: Timestamp::from_micros(row.try_get("created_at")?),
        activated_at: time("activated_at")?.map(Timestamp::from_micros),
        retired_until: time("retired_until")?.map(Timestamp::from_micros),
    })
}
