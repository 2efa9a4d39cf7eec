//! Products: how often each was bought, and what goes together with it.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Encode, Row as _, Type};
use stores::sql::{StoreError, Transaction, padded, places};
use uuid::Uuid;

use super::rows::{portions, values};
use super::{LOOKED_FOR, Store, StoreFailure};
use crate::domain::{Bought, Counts, Pairs, Recommended, Tie, Ties};

/// A product's row, as far as one tie is concerned.
struct Product {
    number: i64,
    id: Uuid,
    orders: i64,
    pairs: Pairs,
}

impl Tie {
    /// The list of pairs.
    fn column(self) -> &'static str {
        match self {
            Self::Bought => "bought",
            Self::Viewed => "viewed",
        }
    }
}

impl Store {
    /// So many more confirmed orders hold these products, and these came together. Each product
    /// keeps `kept` pairs, or up to twice as many.
    pub(crate) async fn count(
        &self,
        tx: &mut Transaction,
        tie: Tie,
        (orders, ties): (&Counts, &Ties),
        kept: usize,
    ) -> Result<(), StoreFailure> {
        let mut ids: Vec<_> = orders.keys().chain(ties.products()).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        let mut products = self.numbered(tx, tie, &ids).await?;
        let numbers = products.iter().map(|product| (product.id, product.number));
        let numbers: BTreeMap<_, _> = numbers.collect();
        let mut forgotten = 0;
        for product in &mut products {
            product.orders += orders.get(&product.id).copied().unwrap_or(0);
            for (other, counted) in ties.of(product.id) {
                if let Some(number) = numbers.get(&other) {
                    product.pairs.add(*number, counted);
                }
            }
            forgotten += product.pairs.weed(kept);
        }
        self.keep(tx, tie, &products).await?;
        let metrics = self.metrics.clone();
        tx.on_commit(move || metrics.forgotten(tie, forgotten as u64));
        Ok(())
    }

    /// The rows of these products, also of those that nobody has heard of before.
    async fn numbered(
        &self,
        tx: &mut Transaction,
        tie: Tie,
        ids: &[Uuid],
    ) -> Result<Vec<Product>, StoreFailure> {
        let texts: Vec<_> = ids.iter().map(Uuid::to_string).collect();
        let mut products = self.rows(tx, tie, "product_id", &texts).await?;
        if products.len() == ids.len() {
            return Ok(products);
        }
        // Nobody else writes before this transaction ends.
        let last = sqlx::query("SELECT COALESCE(MAX(number), 0) AS last FROM products")
            .fetch_one(&mut **tx);
        let last = self.sql.run("SELECT", "products", last).await?;
        let last: i64 = last.try_get("last")?;
        let mut new = ids.to_vec();
        new.retain(|id| products.iter().all(|product| product.id != *id));
        products.extend((last + 1..).zip(new).map(|(number, id)| Product {
            number,
            id,
            orders: 0,
            pairs: Pairs::default(),
        }));
        Ok(products)
    }

    async fn keep(
        &self,
        tx: &mut Transaction,
        tie: Tie,
        products: &[Product],
    ) -> Result<(), StoreError> {
        let column = tie.column();
        for portion in portions(products.len()) {
            let statement = format!(
                "INSERT INTO products (number, product_id, orders, {column}) VALUES {} \
                 ON CONFLICT (number) DO UPDATE \
                 SET orders = excluded.orders, {column} = excluded.{column}",
                values(portion.len(), 4)
            );
            let mut upsert = sqlx::query(AssertSqlSafe(statement));
            for product in &products[portion] {
                upsert = upsert.bind(product.number).bind(product.id.to_string());
                upsert = upsert.bind(product.orders).bind(product.pairs.to_json());
            }
            let upsert = upsert.execute(&mut **tx);
            self.sql.run("INSERT", "products", upsert).await?;
        }
        Ok(())
    }

    /// What goes best together with a product, the most frequent first.
    pub(crate) async fn best(
        &self,
        tie: Tie,
        product: Uuid,
        limit: usize,
    ) -> Result<Vec<Recommended>, StoreFailure> {
        let column = tie.column();
        let statement =
            format!("SELECT {column} AS pairs FROM products WHERE product_id = $1 AND gone = 0");
        let one = sqlx::query(AssertSqlSafe(statement))
            .bind(product.to_string())
            .fetch_optional(self.sql.pool());
        let Some(row) = self.sql.run("SELECT", "products", one).await? else {
            return Ok(Vec::new());
        };
        let pairs = pairs(&row)?.by_strength();
        let mut best = Vec::new();
        // Few of them are gone.
        for some in pairs.chunks(limit.max(1)) {
            let numbers: Vec<_> = some.iter().map(|pair| pair.other).collect();
            let sold = self.sold(&numbers).await?;
            let sold = some.iter().filter_map(|pair| {
                Some(Recommended {
                    product_id: *sold.get(&pair.other)?,
                    count: pair.counted.times,
                })
            });
            best.extend(sold.take(limit - best.len()));
            if best.len() == limit {
                break;
            }
        }
        Ok(best)
    }

    /// The ids of those with these numbers that are still sold.
    async fn sold(&self, numbers: &[i64]) -> Result<BTreeMap<i64, Uuid>, StoreFailure> {
        let statement = format!(
            "SELECT number, product_id FROM products WHERE number IN ({}) AND gone = 0",
            places(numbers.len())
        );
        let mut select = sqlx::query(AssertSqlSafe(statement));
        for number in padded(numbers) {
            select = select.bind(*number);
        }
        let select = select.fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "products", select).await?;
        let sold = rows
            .iter()
            .map(|row| Ok((row.try_get("number")?, id(row)?)));
        sold.collect()
    }

    /// In how many orders products were, for ids after `after`, by ascending id.
    pub(crate) async fn counts_after(
        &self,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Bought>, StoreFailure> {
        let some = sqlx::query(
            "SELECT product_id, orders FROM products WHERE product_id > $1 AND orders > 0 \
             ORDER BY product_id LIMIT $2",
        )
        .bind(after.map_or(String::new(), |id| id.to_string()))
        .bind(limit)
        .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "products", some).await?;
        let counts = rows.iter().map(|row| {
            Ok(Bought {
                product_id: id(row)?,
                orders: row.try_get("orders")?,
            })
        });
        counts.collect()
    }

    /// A product is sold no more: nothing goes together with it.
    ///
    /// Others may have kept it where it has not kept them: such a pair is left for the weeding, and
    /// out of every answer.
    pub(crate) async fn drop_product(
        &self,
        tx: &mut Transaction,
        product: Uuid,
    ) -> Result<(), StoreFailure> {
        for tie in Tie::ALL {
            let mut rows = self.numbered(tx, tie, &[product]).await?;
            let Some(gone) = rows.first_mut() else {
                continue;
            };
            let pairs = std::mem::take(&mut gone.pairs);
            let number = gone.number;
            let others: Vec<_> = pairs.others().collect();
            rows.extend(self.rows(tx, tie, "number", &others).await?);
            for product in &mut rows {
                product.pairs.forget(number);
            }
            self.keep(tx, tie, &rows).await?;
        }
        let update = sqlx::query("UPDATE products SET gone = 1 WHERE product_id = $1")
            .bind(product.to_string())
            .execute(&mut **tx);
        self.sql.run("UPDATE", "products", update).await?;
        Ok(())
    }

    /// The rows in which `column` has one of the values.
    async fn rows<T>(
        &self,
        tx: &mut Transaction,
        tie: Tie,
        column: &str,
        values: &[T],
    ) -> Result<Vec<Product>, StoreFailure>
    where
        T: for<'q> Encode<'q, Any> + Type<Any> + Clone + Sync,
    {
        let mut products = Vec::with_capacity(values.len());
        for some in values.chunks(LOOKED_FOR) {
            let statement = format!(
                "SELECT number, product_id, orders, {} AS pairs FROM products WHERE {column} IN ({})",
                tie.column(),
                places(some.len())
            );
            let mut select = sqlx::query(AssertSqlSafe(statement));
            for value in padded(some) {
                select = select.bind(value.clone());
            }
            let select = select.fetch_all(&mut **tx);
            for row in self.sql.run("SELECT", "products", select).await? {
                products.push(product(&row)?);
            }
        }
        Ok(products)
    }
}

fn product(row: &AnyRow) -> Result<Product, StoreFailure> {
    Ok(Product {
        number: row.try_get("number")?,
        id: id(row)?,
        orders: row.try_get("orders")?,
        pairs: pairs(row)?,
    })
}

fn pairs(row: &AnyRow) -> Result<Pairs, StoreFailure> {
    let pairs: String = row.try_get("pairs")?;
    Pairs::from_json(&pairs).map_err(|_| StoreFailure::Column("pairs"))
}

fn id(row: &AnyRow) -> Result<Uuid, StoreFailure> {
    let text: String = row.try_get("product_id")?;
    Uuid::parse_str(&text).map_err(|_| StoreFailure::Column("product_id"))
}
