//! Counts and pairs. All of it can be built again from the feeds; what changes it runs in the
//! transaction of the event's effect, which also moves the cursor.

mod products;
mod rows;

use std::collections::BTreeMap;

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Row as _};
use stores::sql::{Sql, StoreError, Transaction, padded, places};

use crate::domain::Window;
use crate::metrics::Metrics;
use rows::{portions, values};

/// Most viewers, or products, that are looked for at a time.
const LOOKED_FOR: usize = 128;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Why a row was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreFailure {
    #[error("column {0} holds what it never may")]
    Column(&'static str),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for StoreFailure {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Store {
    sql: Sql,
    metrics: Metrics,
}

impl Store {
    pub(crate) fn new(sql: Sql, metrics: Metrics) -> Self {
        Self { sql, metrics }
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.sql.ping().await
    }

    /// What these viewers looked at last, as far as they are known. What cannot be read is taken as
    /// nothing: it would be gone after a few looks anyway.
    pub(crate) async fn windows(
        &self,
        tx: &mut Transaction,
        viewers: &[&str],
    ) -> Result<BTreeMap<String, Window>, StoreError> {
        let mut windows = BTreeMap::new();
        for some in viewers.chunks(LOOKED_FOR) {
            let statement = format!(
                "SELECT viewer, products FROM viewers WHERE viewer IN ({})",
                places(some.len())
            );
            let mut select = sqlx::query(AssertSqlSafe(statement));
            for viewer in padded(some) {
                select = select.bind((*viewer).to_owned());
            }
            let select = select.fetch_all(&mut **tx);
            for row in self.sql.run("SELECT", "viewers", select).await? {
                let products: String = row.try_get("products")?;
                let window = serde_json::from_str(&products).map(Window);
                windows.insert(row.try_get("viewer")?, window.unwrap_or_default());
            }
        }
        Ok(windows)
    }

    pub(crate) async fn keep_windows(
        &self,
        tx: &mut Transaction,
        windows: &BTreeMap<String, Window>,
    ) -> Result<(), StoreError> {
        let windows: Vec<_> = windows.iter().collect();
        for portion in portions(windows.len()) {
            let statement = format!(
                "INSERT INTO viewers (viewer, products) VALUES {} \
                 ON CONFLICT (viewer) DO UPDATE SET products = excluded.products",
                values(portion.len(), 2)
            );
            let mut upsert = sqlx::query(AssertSqlSafe(statement));
            for (viewer, window) in &windows[portion] {
                // Ids are always JSON.
                let products = serde_json::to_string(&window.0).unwrap_or_default();
                upsert = upsert.bind((*viewer).clone()).bind(products);
            }
            let upsert = upsert.execute(&mut **tx);
            self.sql.run("INSERT", "viewers", upsert).await?;
        }
        Ok(())
    }

    /// Empties what orders have built.
    pub(crate) async fn forget_orders(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        self.clear(tx, "UPDATE products SET orders = 0, bought = '[]'")
            .await
    }

    /// Empties what views have built.
    pub(crate) async fn forget_views(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        let delete = sqlx::query("DELETE FROM viewers").execute(&mut **tx);
        self.sql.run("DELETE", "viewers", delete).await?;
        self.clear(tx, "UPDATE products SET viewed = '[]'").await
    }

    async fn clear(&self, tx: &mut Transaction, update: &'static str) -> Result<(), StoreError> {
        let update = sqlx::query(update).execute(&mut **tx);
        self.sql.run("UPDATE", "products", update).await.map(drop)
    }
}
