//! Units of products.

use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row as _};
use stores::sql::Transaction;
use uuid::Uuid;

use super::{Failure, Store};
use crate::domain::{Item, OnHand, Stock};

/// Where units come from and go to. What leaves one place enters another, so a move can never
/// change how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// From the shelf to an order.
    Hold,
    /// From an order to its buyer.
    Sell,
    /// From an order back to the shelf.
    GiveBack,
}

impl Move {
    /// Change of `on_hand`, `held` and `sold`.
    fn of(self, units: i64) -> [i64; 3] {
        match self {
            Self::Hold => [-units, units, 0],
            Self::Sell => [0, -units, units],
            Self::GiveBack => [units, -units, 0],
        }
    }
}

impl Store {
    /// A product's units; those of one without a row are what its first touch would find.
    pub(crate) async fn stock(&self, product_id: Uuid) -> Result<Stock, Failure> {
        self.stock_within(self.sql.pool(), product_id).await
    }

    async fn stock_within(
        &self,
        executor: impl sqlx::Executor<'_, Database = sqlx::Any>,
        product_id: Uuid,
    ) -> Result<Stock, Failure> {
        let one = sqlx::query(
            "SELECT product_id, initial, adjusted, on_hand, held, sold FROM stock \
             WHERE product_id = $1",
        )
        .bind(product_id.to_string())
        .fetch_optional(executor);
        match self.sql.run("SELECT", "stock", one).await? {
            Some(row) => read(&row),
            None => Ok(Stock::untouched(product_id, self.initial_stock)),
        }
    }

    /// Rows of products after `after`, by ascending id.
    pub(crate) async fn stock_after(
        &self,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Stock>, Failure> {
        let some = sqlx::query(
            "SELECT product_id, initial, adjusted, on_hand, held, sold FROM stock \
             WHERE product_id > $1 ORDER BY product_id LIMIT $2",
        )
        .bind(after.map_or(String::new(), |id| id.to_string()))
        .bind(limit)
        .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "stock", some).await?;
        rows.iter().map(read).collect()
    }

    /// Sets what can still be promised. The difference to what could be promised until now is
    /// booked as adjusted; what is held or sold stays so.
    pub(crate) async fn set_on_hand(
        &self,
        product_id: Uuid,
        on_hand: OnHand,
    ) -> Result<Stock, Failure> {
        let mut tx = self.sql.begin_write().await?;
        self.touch(&mut tx, product_id).await?;
        let update = sqlx::query(
            "UPDATE stock SET adjusted = adjusted + $1 - on_hand, on_hand = $1 \
             WHERE product_id = $2 AND on_hand <> $1 \
             RETURNING product_id, initial, adjusted, on_hand, held, sold",
        )
        .bind(on_hand.units())
        .bind(product_id.to_string())
        .fetch_optional(&mut *tx);
        let stock = match self.sql.run("UPDATE", "stock", update).await? {
            Some(row) => {
                self.tell(&mut tx, product_id, on_hand.units()).await?;
                read(&row)?
            }
            // There were as many before.
            None => self.stock_within(&mut *tx, product_id).await?,
        };
        self.commit(tx, &self.points.adjust, None).await?;
        Ok(stock)
    }

    /// Holds the item's units, and says how many are on hand then; none if there are too few.
    pub(super) async fn hold(
        &self,
        tx: &mut Transaction,
        item: &Item,
    ) -> Result<Option<i64>, Failure> {
        let units = i64::from(item.quantity);
        let held = self.shift(tx, item.product_id, Move::Hold, units).await?;
        // Too few, or the first touch.
        if held.is_none() && self.touch(tx, item.product_id).await? {
            return self.shift(tx, item.product_id, Move::Hold, units).await;
        }
        Ok(held)
    }

    /// Moves units of a product, and says how many are on hand then; none, and nothing is moved, if
    /// it has too few or no row.
    pub(super) async fn shift(
        &self,
        tx: &mut AnyConnection,
        product_id: Uuid,
        which: Move,
        units: i64,
    ) -> Result<Option<i64>, Failure> {
        let [on_hand, held, sold] = which.of(units);
        let update = sqlx::query(
            "UPDATE stock SET on_hand = on_hand + $1, held = held + $2, sold = sold + $3 \
             WHERE product_id = $4 AND on_hand + $1 >= 0 AND held + $2 >= 0 \
             RETURNING on_hand",
        )
        .bind(on_hand)
        .bind(held)
        .bind(sold)
        .bind(product_id.to_string())
        .fetch_optional(tx);
        let updated = self.sql.run("UPDATE", "stock", update).await?;
        Ok(updated.map(|row| row.try_get("on_hand")).transpose()?)
    }

    /// Gives back units of a product, and tells how many are on hand then.
    pub(super) async fn give_back(
        &self,
        tx: &mut Transaction,
        product_id: Uuid,
        units: i64,
    ) -> Result<(), Failure> {
        let on_hand = self.shift(tx, product_id, Move::GiveBack, units).await?;
        let on_hand = on_hand.ok_or(Failure::Books)?;
        self.tell(tx, product_id, on_hand).await
    }

    /// Gives the product its row; false if it has one.
    async fn touch(&self, tx: &mut AnyConnection, product_id: Uuid) -> Result<bool, Failure> {
        let insert = sqlx::query(
            "INSERT INTO stock (product_id, initial, adjusted, on_hand, held, sold) \
             VALUES ($1, $2, 0, $2, 0, 0) ON CONFLICT (product_id) DO NOTHING",
        )
        .bind(product_id.to_string())
        .bind(self.initial_stock)
        .execute(tx);
        let inserted = self.sql.run("INSERT", "stock", insert).await?;
        Ok(inserted.rows_affected() == 1)
    }
}

fn read(row: &AnyRow) -> Result<Stock, Failure> {
    let product_id: String = row.try_get("product_id")?;
    Ok(Stock {
        product_id: product_id
            .parse()
            .map_err(|_| Failure::Column("product_id"))?,
        initial: row.try_get("initial")?,
        adjusted: row.try_get("adjusted")?,
        on_hand: row.try_get("on_hand")?,
        held: row.try_get("held")?,
        sold: row.try_get("sold")?,
    })
}
