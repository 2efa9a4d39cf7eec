//! Counts and pairs. All of it can be built again from the feeds; what changes it runs in the
//! transaction of the event's effect, which also moves the cursor.

mod pairs;

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Row as _};
use stores::sql::{Sql, StoreError, Transaction};
use uuid::Uuid;

use crate::domain::{Bought, Window};
use crate::metrics::Metrics;

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

    /// One more confirmed order holds these, which are distinct.
    pub(crate) async fn count_order(
        &self,
        tx: &mut Transaction,
        products: &[Uuid],
    ) -> Result<(), StoreError> {
        if products.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = (1..=products.len()).map(|n| format!("(${n}, 1)")).collect();
        let statement = format!(
            "INSERT INTO bought (product_id, orders) VALUES {} \
             ON CONFLICT (product_id) DO UPDATE SET orders = bought.orders + 1",
            rows.join(", ")
        );
        let mut insert = sqlx::query(AssertSqlSafe(statement));
        for product in products {
            insert = insert.bind(product.to_string());
        }
        let insert = insert.execute(&mut **tx);
        self.sql.run("INSERT", "bought", insert).await.map(drop)
    }

    /// In how many orders products were, for ids after `after`, by ascending id.
    pub(crate) async fn counts_after(
        &self,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Bought>, StoreFailure> {
        let some = sqlx::query(
            "SELECT product_id, orders FROM bought WHERE product_id > $1 \
             ORDER BY product_id LIMIT $2",
        )
        .bind(after.map_or(String::new(), |id| id.to_string()))
        .bind(limit)
        .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "bought", some).await?;
        rows.iter()
            .map(|row| {
                Ok(Bought {
                    product_id: pairs::id(row, "product_id")?,
                    orders: row.try_get("orders")?,
                })
            })
            .collect()
    }

    /// What the viewer looked at last. What cannot be read is taken as nothing: it would be gone
    /// after a few looks anyway.
    pub(crate) async fn window(
        &self,
        tx: &mut Transaction,
        viewer: &str,
    ) -> Result<Window, StoreError> {
        let one = sqlx::query("SELECT products FROM viewers WHERE viewer = $1")
            .bind(viewer)
            .fetch_optional(&mut **tx);
        let row = self.sql.run("SELECT", "viewers", one).await?;
        let products: Option<String> = row.map(|row| row.try_get("products")).transpose()?;
        let products = products.as_deref().map(serde_json::from_str);
        Ok(Window(products.and_then(Result::ok).unwrap_or_default()))
    }

    pub(crate) async fn keep_window(
        &self,
        tx: &mut Transaction,
        viewer: &str,
        window: &Window,
    ) -> Result<(), StoreError> {
        // Ids are always JSON.
        let products = serde_json::to_string(&window.0).unwrap_or_default();
        let upsert = sqlx::query(
            "INSERT INTO viewers (viewer, products) VALUES ($1, $2) \
             ON CONFLICT (viewer) DO UPDATE SET products = $2",
        )
        .bind(viewer)
        .bind(products)
        .execute(&mut **tx);
        self.sql.run("INSERT", "viewers", upsert).await.map(drop)
    }

    /// Empties what orders have built.
    pub(crate) async fn forget_orders(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        self.empty(tx, "bought", "DELETE FROM bought").await?;
        self.empty(tx, "bought_pairs", "DELETE FROM bought_pairs")
            .await
    }

    /// Empties what views have built.
    pub(crate) async fn forget_views(&self, tx: &mut Transaction) -> Result<(), StoreError> {
        self.empty(tx, "viewers", "DELETE FROM viewers").await?;
        self.empty(tx, "viewed_pairs", "DELETE FROM viewed_pairs")
            .await
    }

    async fn empty(
        &self,
        tx: &mut Transaction,
        table: &'static str,
        statement: &'static str,
    ) -> Result<(), StoreError> {
        let delete = sqlx::query(statement).execute(&mut **tx);
        self.sql.run("DELETE", table, delete).await.map(drop)
    }
}
