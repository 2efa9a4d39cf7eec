//! What inventory has told of stock.

use sqlx::Row as _;
use stores::sql::Transaction;
use uuid::Uuid;

use super::{Store, StoreFailure};

impl Store {
    /// Whether a product is in stock. If that is new, it is a change of the product like any
    /// other, but for its version: admins have not edited anything.
    pub(crate) async fn set_in_stock(
        &self,
        tx: &mut Transaction,
        id: Uuid,
        in_stock: bool,
    ) -> Result<(), StoreFailure> {
        let statement = match in_stock {
            true => "DELETE FROM sold_out WHERE product_id = $1",
            false => "INSERT INTO sold_out (product_id) VALUES ($1) ON CONFLICT DO NOTHING",
        };
        let set = sqlx::query(statement)
            .bind(id.to_string())
            .execute(&mut **tx);
        let operation = if in_stock { "DELETE" } else { "INSERT" };
        let set = self.sql.run(operation, "sold_out", set).await?;
        if set.rows_affected() == 0 {
            return Ok(());
        }
        // Inventory may know products that are sold no more.
        let known = sqlx::query("SELECT id FROM products WHERE id = $1 AND deleted = 0")
            .bind(id.to_string())
            .fetch_optional(&mut **tx);
        if self.sql.run("SELECT", "products", known).await?.is_none() {
            return Ok(());
        }
        let revision = self.next_revision(tx, 1).await?;
        let update = sqlx::query("UPDATE products SET revision = $1 WHERE id = $2")
            .bind(revision)
            .bind(id.to_string())
            .execute(&mut **tx);
        self.sql.run("UPDATE", "products", update).await?;
        self.tell(tx, id, revision, false).await
    }

    /// Every product that is sold out.
    pub(crate) async fn sold_out(&self, tx: &mut Transaction) -> Result<Vec<Uuid>, StoreFailure> {
        let all = sqlx::query("SELECT product_id FROM sold_out").fetch_all(&mut **tx);
        let rows = self.sql.run("SELECT", "sold_out", all).await?;
        rows.iter()
            .map(|row| {
                let id: String = row.try_get("product_id")?;
                Uuid::parse_str(&id).map_err(|_| StoreFailure::Column("product_id"))
            })
            .collect()
    }
}
