//! Members, sessions and signing keys as rows. One copy of every statement for every engine.

mod keys;
mod members;
mod sessions;

pub(crate) use keys::{KeyChanges, KeyRow};
pub(crate) use members::NewMember;
pub(crate) use sessions::Refreshed;

use events::Outbox;
use faults::{Around, Faults};
use stores::sql::{Sql, Transaction};

use crate::domain::Timestamp;
use crate::error::Error;

/// The service's data. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    sql: Sql,
    outbox: Outbox,
    /// A member is written down, and that others are to be told.
    sign_up: Around,
}

impl Store {
    pub(crate) fn new(sql: Sql, outbox: Outbox, faults: &Faults) -> Self {
        Self {
            sql,
            outbox,
            sign_up: faults.around("sign_up", "commit", "a new member is written"),
        }
    }

    /// Whether it answers.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        Ok(self.sql.ping().await?)
    }

    /// A transaction that no other replica's maintenance runs beside.
    async fn begin_maintenance(&self, now: Timestamp) -> Result<Transaction, Error> {
        let mut tx = self.sql.begin_write().await?;
        let lock = sqlx::query("UPDATE maintenance SET taken_at = $1 WHERE id = 1")
            .bind(now.micros())
            .execute(&mut *tx);
        self.sql.run("UPDATE", "maintenance", lock).await?;
        Ok(tx)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use events::Outbox;
    use faults::Faults;
    use stores::sql::{self, Durability};
    use telemetry::{Exporter, Service, Telemetry};
    use tempfile::TempDir;
    use tokio_util::sync::CancellationToken;

    use super::Store;

    /// A fresh store in a folder that goes with it.
    pub(crate) async fn store() -> (Store, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        (store, folder)
    }

    /// One more replica's view of the store in this folder.
    pub(crate) async fn open(folder: &TempDir) -> Store {
        let migrations = sqlx::migrate!();
        let telemetry = Telemetry::builder(Service::new("users", "0.0.0"))
            .exporter(Exporter::None)
            .without_subscriber()
            .build()
            .unwrap();
        let sql = sql::open(
            &telemetry,
            "sqlite:users.db",
            folder.path(),
            &migrations,
            Durability::Normal,
        );
        let sql = sql.await.unwrap();
        let outbox = Outbox::open(&telemetry, &sql, "users", &CancellationToken::new()).await;
        Store::new(sql, outbox.unwrap(), &Faults::default())
    }
}
