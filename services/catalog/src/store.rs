//! The rows: the truth about products.

use std::iter;

use app::money::{Currency, Money};
use app::{Timestamp, with_causes};
use sqlx::any::AnyRow;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};
use stores::sql::{ResultExt, Sql, StoreError, Transaction};
use uuid::Uuid;

use crate::domain::{Category, Draft, Localized, Product};

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Why a change was not made or a row not read.
#[derive(Debug, thiserror::Error)]
pub enum StoreFailure {
    #[error("there is no such product")]
    UnknownProduct,
    #[error("there is no such category")]
    UnknownCategory,
    #[error("the product has version {0}")]
    Version(i64),
    #[error("column {0} holds what no product may have")]
    Column(&'static str),
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
}

impl Store {
    pub(crate) fn new(sql: Sql) -> Self {
        Self { sql }
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.sql.ping().await
    }

    pub(crate) async fn product(&self, id: Uuid) -> Result<Product, StoreFailure> {
        let one = sqlx::query("SELECT * FROM products WHERE id = $1 AND deleted = 0")
            .bind(id.to_string())
            .fetch_optional(self.sql.pool());
        let row = self.sql.run("SELECT", "products", one).await?;
        product(&row.ok_or(StoreFailure::UnknownProduct)?)
    }

    /// Those of the products that are sold, in the order of their ids.
    pub(crate) async fn products(&self, ids: &[Uuid]) -> Result<Vec<Product>, StoreFailure> {
        let Some(last) = ids.last() else {
            return Ok(Vec::new());
        };
        // Statements of few lengths: each is prepared once, and the last id may come again.
        let slots = ids.len().next_power_of_two();
        let places: Vec<_> = (1..=slots).map(|slot| format!("${slot}")).collect();
        let statement = format!(
            "SELECT * FROM products WHERE deleted = 0 AND id IN ({}) ORDER BY id",
            places.join(", ")
        );
        let mut some = sqlx::query(AssertSqlSafe(statement));
        for id in ids.iter().chain(iter::repeat(last)).take(slots) {
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
        let some =
            sqlx::query("SELECT * FROM products WHERE revision > $1 ORDER BY revision LIMIT $2")
                .bind(revision)
                .bind(limit)
                .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "products", some).await?;
        rows.iter().map(change).collect()
    }

    pub(crate) async fn create(&self, draft: Draft) -> Result<Product, StoreFailure> {
        let mut tx = self.sql.begin_write().await?;
        let revision = self.next_revision(&mut tx, 1).await?;
        let created = from_draft(Uuid::now_v7(), draft, 1, Timestamp::now());
        self.insert(&mut tx, &created, revision).await?;
        tx.commit().await?;
        Ok(created)
    }

    /// Replaces what an admin may set; `expected` is the version that was edited, `None` any.
    pub(crate) async fn replace(
        &self,
        id: Uuid,
        expected: Option<i64>,
        draft: Draft,
    ) -> Result<Product, StoreFailure> {
        let mut tx = self.sql.begin_write().await?;
        let revision = self.next_revision(&mut tx, 1).await?;
        let version = self.version(&mut tx, id, expected).await?;
        let edited = from_draft(id, draft, version + 1, Timestamp::now());
        let update = sqlx::query(
            "UPDATE products SET name_ko = $1, name_en = $2, description_ko = $3, \
             description_en = $4, category = $5, price_amount = $6, price_currency = $7, \
             version = $8, revision = $9, updated_at = $10 WHERE id = $11",
        )
        .bind(&edited.name.ko)
        .bind(&edited.name.en)
        .bind(&edited.description.ko)
        .bind(&edited.description.en)
        .bind(&edited.category)
        .bind(edited.price.amount)
        .bind(edited.price.currency.code())
        .bind(edited.version)
        .bind(revision)
        .bind(edited.updated_at.micros())
        .bind(id.to_string())
        .execute(&mut *tx);
        self.sql
            .run("UPDATE", "products", update)
            .await
            .on_constraint(CATEGORY, || StoreFailure::UnknownCategory)?;
        tx.commit().await?;
        Ok(edited)
    }

    pub(crate) async fn delete(&self, id: Uuid, expected: Option<i64>) -> Result<(), StoreFailure> {
        let mut tx = self.sql.begin_write().await?;
        let revision = self.next_revision(&mut tx, 1).await?;
        let version = self.version(&mut tx, id, expected).await?;
        let update = sqlx::query(
            "UPDATE products SET deleted = 1, version = $1, revision = $2, updated_at = $3 \
             WHERE id = $4",
        )
        .bind(version + 1)
        .bind(revision)
        .bind(Timestamp::now().micros())
        .bind(id.to_string())
        .execute(&mut *tx);
        self.sql.run("UPDATE", "products", update).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether a product was ever written.
    pub(crate) async fn is_untouched(&self) -> Result<bool, StoreFailure> {
        let head = sqlx::query("SELECT revision FROM catalog_head WHERE id = 1")
            .fetch_one(self.sql.pool());
        let row = self.sql.run("SELECT", "catalog_head", head).await?;
        Ok(row.try_get::<i64, _>("revision")? == 0)
    }

    /// Fills a store in which nothing was ever written; false if another was first.
    pub(crate) async fn fill(&self, products: &[Product]) -> Result<bool, StoreFailure> {
        let count = i64::try_from(products.len()).unwrap_or(i64::MAX);
        let mut tx = self.sql.begin_write().await?;
        if self.next_revision(&mut tx, count).await? != count {
            tx.rollback().await?;
            return Ok(false);
        }
        for (revision, product) in (1..).zip(products) {
            self.insert(&mut tx, product, revision).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Takes `count` numbers and gives the last; other writers wait until this one has committed.
    async fn next_revision(&self, tx: &mut Transaction, count: i64) -> Result<i64, StoreFailure> {
        let next = sqlx::query(
            "UPDATE catalog_head SET revision = revision + $1 WHERE id = 1 RETURNING revision",
        )
        .bind(count)
        .fetch_one(&mut **tx);
        let row = self.sql.run("UPDATE", "catalog_head", next).await?;
        Ok(row.try_get("revision")?)
    }

    async fn version(
        &self,
        tx: &mut AnyConnection,
        id: Uuid,
        expected: Option<i64>,
    ) -> Result<i64, StoreFailure> {
        let one = sqlx::query("SELECT version FROM products WHERE id = $1 AND deleted = 0")
            .bind(id.to_string())
            .fetch_optional(tx);
        let row = self.sql.run("SELECT", "products", one).await?;
        let version: i64 = row
            .ok_or(StoreFailure::UnknownProduct)?
            .try_get("version")?;
        match expected {
            Some(expected) if expected != version => Err(StoreFailure::Version(version)),
            _ => Ok(version),
        }
    }

    async fn insert(
        &self,
        tx: &mut AnyConnection,
        product: &Product,
        revision: i64,
    ) -> Result<(), StoreFailure> {
        let insert = sqlx::query(
            "INSERT INTO products (id, name_ko, name_en, description_ko, description_en, \
             category, price_amount, price_currency, version, position, revision, deleted, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, 0, $11)",
        )
        .bind(product.id.to_string())
        .bind(&product.name.ko)
        .bind(&product.name.en)
        .bind(&product.description.ko)
        .bind(&product.description.en)
        .bind(&product.category)
        .bind(product.price.amount)
        .bind(product.price.currency.code())
        .bind(product.version)
        .bind(revision)
        .bind(product.updated_at.micros())
        .execute(tx);
        self.sql
            .run("INSERT", "products", insert)
            .await
            .map(drop)
            .on_constraint(CATEGORY, || StoreFailure::UnknownCategory)
    }
}

const CATEGORY: &str = "products_category_fkey";

fn from_draft(id: Uuid, draft: Draft, version: i64, updated_at: Timestamp) -> Product {
    Product {
        id,
        name: draft.name,
        description: draft.description,
        category: draft.category,
        price: draft.price,
        version,
        updated_at,
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
        version: row.try_get("version")?,
        updated_at: Timestamp::from_micros(row.try_get("updated_at")?),
    })
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
