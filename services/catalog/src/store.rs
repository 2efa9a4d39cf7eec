//! The rows: the truth about products.

/// Products with what is known of their stock.
macro_rules! product_rows {
    ($which:literal) => {
        concat!(
            "SELECT products.*, (SELECT COUNT(*) FROM sold_out \
             WHERE sold_out.product_id = products.id) AS sold_out FROM products ",
            $which
        )
    };
}

mod edits;
mod stock;
mod views;

use app::money::{Currency, Money};
use app::{Timestamp, with_causes};
use events::{Outbox, PublishError};
use faults::Injected;
use sqlx::any::AnyRow;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Row as _};
use stores::sql::{Sql, StoreError, padded, places};
use uuid::Uuid;

use crate::domain::{Category, Edition, Localized, Product};
use crate::points::Points;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Why a change was not made or a row not read.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailure {
    #[error("there is no such product")]
    UnknownProduct,
    #[error("there is no such category")]
    UnknownCategory,
    #[error("the product has another version: {0:?}")]
    Version(Edition),
    #[error("column {0} holds what no product may have")]
    Column(&'static str),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Injected(#[from] Injected),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for StoreFailure {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A product with its place in listings.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub product: Product,
    pub position: u64,
}

/// What became of a product; `row` is `None` when it was deleted.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub id: Uuid,
    pub revision: i64,
    pub row: Option<Row>,
}

#[derive(Debug, Clone)]
pub(crate) struct Store {
    sql: Sql,
    outbox: Outbox,
    points: Points,
}

impl Store {
    pub(crate) fn new(sql: Sql, outbox: Outbox, points: Points) -> Self {
        Self {
            sql,
            outbox,
            points,
        }
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.sql.ping().await
    }

    pub(crate) async fn product(&self, id: Uuid) -> Result<Product, StoreFailure> {
        let one = sqlx::query(product_rows!("WHERE id = $1 AND deleted = 0"))
            .bind(id.to_string())
            .fetch_optional(self.sql.pool());
        let row = self.sql.run("SELECT", "products", one).await?;
        product(&row.ok_or(StoreFailure::UnknownProduct)?)
    }

    /// Those of the products that are sold, in the order of their ids.
    pub(crate) async fn products(&self, ids: &[Uuid]) -> Result<Vec<Product>, StoreFailure> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let statement = format!(
            product_rows!("WHERE deleted = 0 AND id IN ({}) ORDER BY id"),
            places(ids.len())
        );
        let mut some = sqlx::query(AssertSqlSafe(statement));
        for id in padded(ids) {
            some = some.bind(id.to_string());
        }
        let some = some.fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "products", some).await?;
        rows.iter().map(product).collect()
    }

    pub(crate) async fn categories(&self) -> Result<Vec<Category>, StoreFailure> {
        let all = sqlx::query("SELECT id, name_ko, name_en FROM categories ORDER BY position")
            .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "categories", all).await?;
        rows.iter()
            .map(|row| {
                let name = localized(row, "name_ko", "name_en")?;
                let id = row.try_get("id")?;
                Ok(Category { id, name })
            })
            .collect()
    }

    /// What changed after `revision`, oldest first.
    pub(crate) async fn changes(
        &self,
        revision: i64,
        limit: i64,
    ) -> Result<Vec<Change>, StoreFailure> {
        let some = sqlx::query(product_rows!(
            "WHERE revision > $1 ORDER BY revision LIMIT $2"
        ))
        .bind(revision)
        .bind(limit)
        .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "products", some).await?;
        rows.iter().map(change).collect()
    }

    /// Whether a product was ever written.
    pub(crate) async fn is_untouched(&self) -> Result<bool, StoreFailure> {
        let head = sqlx::query("SELECT revision FROM catalog_head WHERE id = 1")
            .fetch_one(self.sql.pool());
        let row = self.sql.run("SELECT", "catalog_head", head).await?;
        Ok(row.try_get::<i64, _>("revision")? == 0)
    }
}

fn change(row: &AnyRow) -> Result<Change, StoreFailure> {
    let id = id(row)?;
    let deleted: i64 = row.try_get("deleted")?;
    let position: i64 = row.try_get("position")?;
    let current = || {
        Ok::<_, StoreFailure>(Row {
            product: product(row)?,
            position: u64::try_from(position).map_err(|_| StoreFailure::Column("position"))?,
        })
    };
    let current = match (deleted == 0).then(current).transpose() {
        Ok(current) => current,
        // A newer replica may write what this one does not know, such as a currency. It leaves
        // that product out and goes on with the others.
        Err(error) => {
            tracing::error!(product = %id, error = with_causes(&error), "row cannot be read");
            None
        }
    };
    Ok(Change {
        id,
        revision: row.try_get("revision")?,
        row: current,
    })
}

fn product(row: &AnyRow) -> Result<Product, StoreFailure> {
    let currency: String = row.try_get("price_currency")?;
    Ok(Product {
        id: id(row)?,
        name: localized(row, "name_ko", "name_en")?,
        description: localized(row, "description_ko", "description_en")?,
        category: row.try_get("category")?,
        price: Money {
            amount: row.try_get("price_amount")?,
            currency: Currency::from_code(&currency)
                .ok_or(StoreFailure::Column("price_currency"))?,
        },
        in_stock: in_stock(row)?,
        version: row.try_get("version")?,
        updated_at: Timestamp::from_micros(row.try_get("updated_at")?),
    })
}

fn in_stock(row: &AnyRow) -> Result<bool, StoreFailure> {
    Ok(row.try_get::<i64, _>("sold_out")? == 0)
}

fn id(row: &AnyRow) -> Result<Uuid, StoreFailure> {
    let id: String = row.try_get("id")?;
    id.parse().map_err(|_| StoreFailure::Column("id"))
}

fn localized(row: &AnyRow, ko: &str, en: &str) -> Result<Localized, StoreFailure> {
    Ok(Localized {
        ko: row.try_get(ko)?,
        en: row.try_get(en)?,
    })
}
