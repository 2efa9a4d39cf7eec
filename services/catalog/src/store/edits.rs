//! What admins change, and the first products. Each change takes a number, is published, and is
//! one transaction.

use app::Timestamp;
use faults::Around;
use sqlx::{AnyConnection, Row as _};
use stores::sql::{ResultExt, Transaction};
use uuid::Uuid;

use super::{Store, StoreFailure, in_stock};
use crate::domain::{Draft, Edition, Product};
use crate::events::ProductChanged;

impl Store {
    pub(crate) async fn create(&self, draft: Draft) -> Result<Product, StoreFailure> {
        let mut tx = self.sql.begin_write().await?;
        let revision = self.next_revision(&mut tx, 1).await?;
        let first = Edition {
            version: 1,
            in_stock: true,
        };
        let created = from_draft(Uuid::now_v7(), draft, first);
        self.insert(&mut tx, &created, revision).await?;
        self.tell(&mut tx, created.id, revision, false).await?;
        commit(tx, &self.points.create).await?;
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
        let edition = self.next_edition(&mut tx, id, expected).await?;
        let edited = from_draft(id, draft, edition);
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
        self.tell(&mut tx, id, revision, false).await?;
        commit(tx, &self.points.replace).await?;
        Ok(edited)
    }

    pub(crate) async fn delete(&self, id: Uuid, expected: Option<i64>) -> Result<(), StoreFailure> {
        let mut tx = self.sql.begin_write().await?;
        let revision = self.next_revision(&mut tx, 1).await?;
        let edition = self.next_edition(&mut tx, id, expected).await?;
        let update = sqlx::query(
            "UPDATE products SET deleted = 1, version = $1, revision = $2, updated_at = $3 \
             WHERE id = $4",
        )
        .bind(edition.version)
        .bind(revision)
        .bind(Timestamp::now().micros())
        .bind(id.to_string())
        .execute(&mut *tx);
        self.sql.run("UPDATE", "products", update).await?;
        self.tell(&mut tx, id, revision, true).await?;
        commit(tx, &self.points.delete).await
    }

    /// Fills a store in which nothing was ever written; false if another was first. Nobody is told:
    /// who follows this catalog builds on the rows that were there before the first event.
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
        commit(tx, &self.points.fill).await?;
        Ok(true)
    }

    /// Takes `count` numbers and gives the last; other writers wait until this one has committed.
    pub(super) async fn next_revision(
        &self,
        tx: &mut Transaction,
        count: i64,
    ) -> Result<i64, StoreFailure> {
        let next = sqlx::query(
            "UPDATE catalog_head SET revision = revision + $1 WHERE id = 1 RETURNING revision",
        )
        .bind(count)
        .fetch_one(&mut **tx);
        let row = self.sql.run("UPDATE", "catalog_head", next).await?;
        Ok(row.try_get("revision")?)
    }

    /// Tells of change `revision`, in its transaction.
    pub(super) async fn tell(
        &self,
        tx: &mut Transaction,
        product_id: Uuid,
        revision: i64,
        deleted: bool,
    ) -> Result<(), StoreFailure> {
        let changed = ProductChanged {
            product_id,
            revision,
            deleted,
        };
        let subject = product_id.to_string();
        Ok(self.outbox.publish(tx, &subject, &changed).await?)
    }

    /// What an edit makes of the product, if it has the version that is expected.
    async fn next_edition(
        &self,
        tx: &mut AnyConnection,
        id: Uuid,
        expected: Option<i64>,
    ) -> Result<Edition, StoreFailure> {
        let one = sqlx::query(product_rows!("WHERE id = $1 AND deleted = 0"))
            .bind(id.to_string())
            .fetch_optional(tx);
        let row = self.sql.run("SELECT", "products", one).await?;
        let row = row.ok_or(StoreFailure::UnknownProduct)?;
        let edition = Edition {
            version: row.try_get("version")?,
            in_stock: in_stock(&row)?,
        };
        match expected {
            Some(expected) if expected != edition.version => Err(StoreFailure::Version(edition)),
            _ => Ok(Edition {
                version: edition.version + 1,
                ..edition
            }),
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

fn from_draft(id: Uuid, draft: Draft, edition: Edition) -> Product {
    Product {
        id,
        name: draft.name,
        description: draft.description,
        category: draft.category,
        price: draft.price,
        in_stock: edition.in_stock,
        version: edition.version,
        updated_at: Timestamp::now(),
    }
}

pub(super) async fn commit(tx: Transaction, at: &Around) -> Result<(), StoreFailure> {
    at.pass(async { Ok(tx.commit().await?) }).await
}
