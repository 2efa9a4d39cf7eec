//! Which products go together, and how often.
//!
//! A product keeps its strongest pairs: it may have twice as many as it is to keep, and then the
//! weaker half goes, so that a new pair has some time to grow (lossy counting, Manku and Motwani
//! 2002). A count is therefore of those times that are remembered: never more than there were.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};
use stores::sql::{StoreError, Transaction};
use uuid::Uuid;

use super::{Store, StoreFailure};
use crate::domain::{Recommended, Tie};

/// The statements of one table; they differ in its name alone.
struct Table {
    name: &'static str,
    best: &'static str,
    weed: &'static str,
    part: &'static str,
    drop: &'static str,
}

macro_rules! table {
    ($name:literal) => {
        Table {
            name: $name,
            best: concat!(
                "SELECT other_id, count FROM ",
                $name,
                " AS pair WHERE product_id = $1 \
                 AND NOT EXISTS (SELECT 1 FROM gone WHERE gone.product_id = $1) \
                 AND NOT EXISTS (SELECT 1 FROM gone WHERE gone.product_id = pair.other_id) \
                 ORDER BY count DESC, last DESC, other_id LIMIT $2"
            ),
            weed: concat!(
                "DELETE FROM ",
                $name,
                " WHERE product_id = $1 AND other_id NOT IN (SELECT other_id FROM ",
                $name,
                " WHERE product_id = $1 ORDER BY count DESC, last DESC, other_id LIMIT $2)"
            ),
            part: concat!(
                "DELETE FROM ",
                $name,
                " WHERE other_id = $1 \
                 AND product_id IN (SELECT other_id FROM ",
                $name,
                " WHERE product_id = $1)"
            ),
            drop: concat!("DELETE FROM ", $name, " WHERE product_id = $1"),
        }
    };
}

const BOUGHT: Table = table!("bought_pairs");
const VIEWED: Table = table!("viewed_pairs");

impl Tie {
    fn table(self) -> &'static Table {
        match self {
            Self::Bought => &BOUGHT,
            Self::Viewed => &VIEWED,
        }
    }
}

impl Store {
    /// What goes best together with a product, the most frequent first.
    pub(crate) async fn best(
        &self,
        tie: Tie,
        product: Uuid,
        limit: i64,
    ) -> Result<Vec<Recommended>, StoreFailure> {
        let table = tie.table();
        let some = sqlx::query(table.best)
            .bind(product.to_string())
            .bind(limit)
            .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", table.name, some).await?;
        rows.iter()
            .map(|row| {
                Ok(Recommended {
                    product_id: id(row, "other_id")?,
                    count: row.try_get("count")?,
                })
            })
            .collect()
    }

    /// Counts that each of the distinct products goes together with each other one.
    pub(crate) async fn tie_all(
        &self,
        tx: &mut Transaction,
        tie: Tie,
        products: &[Uuid],
        at: i64,
        kept: usize,
    ) -> Result<(), StoreError> {
        let places = 0..products.len();
        let pairs = places
            .clone()
            .flat_map(|one| places.clone().map(move |other| (one, other)));
        let pairs = pairs.filter(|(one, other)| one != other).collect();
        self.tie(tx, tie, products, pairs, at, kept).await
    }

    /// Counts that the first product goes together with each of the others; all are distinct.
    pub(crate) async fn tie_first(
        &self,
        tx: &mut Transaction,
        tie: Tie,
        products: &[Uuid],
        at: i64,
        kept: usize,
    ) -> Result<(), StoreError> {
        let others = 1..products.len();
        let pairs = others.flat_map(|other| [(0, other), (other, 0)]).collect();
        self.tie(tx, tie, products, pairs, at, kept).await
    }

    /// `pairs` are places in `products`, none of them twice.
    async fn tie(
        &self,
        tx: &mut Transaction,
        tie: Tie,
        products: &[Uuid],
        pairs: Vec<(usize, usize)>,
        at: i64,
        kept: usize,
    ) -> Result<(), StoreError> {
        if pairs.is_empty() {
            return Ok(());
        }
        let table = tie.table().name;
        // One statement, whose text depends on the number of products alone: each is prepared once.
        let at_slot = products.len() + 1;
        let rows: Vec<_> = pairs
            .iter()
            .map(|(one, other)| format!("(${}, ${}, 1, ${at_slot})", one + 1, other + 1))
            .collect();
        let statement = format!(
            "INSERT INTO {table} (product_id, other_id, count, last) VALUES {} \
             ON CONFLICT (product_id, other_id) DO UPDATE \
             SET count = {table}.count + 1, last = excluded.last RETURNING product_id, count",
            rows.join(", ")
        );
        let mut upsert = sqlx::query(AssertSqlSafe(statement));
        for product in products {
            upsert = upsert.bind(product.to_string());
        }
        let upsert = upsert.bind(at).fetch_all(&mut **tx);
        let counted = self.sql.run("INSERT", table, upsert).await?;
        let mut grown: Vec<String> = Vec::new();
        for row in &counted {
            let count: i64 = row.try_get("count")?;
            let product: String = row.try_get("product_id")?;
            // Only a product with a new pair has more of them than before.
            if count == 1 && !grown.contains(&product) {
                grown.push(product);
            }
        }
        self.weed(tx, tie, &grown, kept).await
    }

    /// Takes the weaker half from those of the products that have twice as many pairs as are kept.
    async fn weed(
        &self,
        tx: &mut Transaction,
        tie: Tie,
        products: &[String],
        kept: usize,
    ) -> Result<(), StoreError> {
        if products.is_empty() {
            return Ok(());
        }
        let table = tie.table();
        let kept = i64::try_from(kept).unwrap_or(i64::MAX);
        let places: Vec<_> = (2..=products.len() + 1).map(|n| format!("${n}")).collect();
        let statement = format!(
            "SELECT product_id FROM {} WHERE product_id IN ({}) \
             GROUP BY product_id HAVING COUNT(*) > $1",
            table.name,
            places.join(", ")
        );
        let mut crowded = sqlx::query(AssertSqlSafe(statement)).bind(kept.saturating_mul(2));
        for product in products {
            crowded = crowded.bind(product);
        }
        let crowded = crowded.fetch_all(&mut **tx);
        for row in self.sql.run("SELECT", table.name, crowded).await? {
            let product: String = row.try_get("product_id")?;
            let delete = sqlx::query(table.weed)
                .bind(product)
                .bind(kept)
                .execute(&mut **tx);
            let deleted = self.sql.run("DELETE", table.name, delete).await?;
            let (metrics, pairs) = (self.metrics.clone(), deleted.rows_affected());
            tx.on_commit(move || metrics.forgotten(tie, pairs));
        }
        Ok(())
    }

    /// A product is sold no more: nothing goes together with it.
    ///
    /// Others may have kept it where it has not kept them: such a pair is left for the weeding, and
    /// out of every answer. To find it here would take another index, at twice the work for each
    /// event.
    pub(crate) async fn drop_product(
        &self,
        tx: &mut Transaction,
        product: Uuid,
    ) -> Result<(), StoreError> {
        let insert =
            sqlx::query("INSERT INTO gone (product_id) VALUES ($1) ON CONFLICT DO NOTHING")
                .bind(product.to_string())
                .execute(&mut **tx);
        self.sql.run("INSERT", "gone", insert).await?;
        for tie in Tie::ALL {
            let table = tie.table();
            for statement in [table.part, table.drop] {
                let delete = sqlx::query(statement)
                    .bind(product.to_string())
                    .execute(&mut **tx);
                self.sql.run("DELETE", table.name, delete).await?;
            }
        }
        Ok(())
    }
}

pub(super) fn id(row: &AnyRow, column: &'static str) -> Result<Uuid, StoreFailure> {
    let text: String = row.try_get(column)?;
    Uuid::parse_str(&text).map_err(|_| StoreFailure::Column(column))
}
