//! The rows: the truth about what was asked of the bank.

use ::events::Outbox;
use app::Timestamp;
use app::money::{Currency, Money};
use sqlx::Row as _;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::migrate::Migrator;
use stores::sql::{Sql, StoreError, Transaction};
use uuid::Uuid;

use crate::charge::{Charge, State, Terms};
use crate::error::Failure;
use crate::events;
use crate::points::Around;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

#[derive(Debug, Clone)]
pub(crate) struct Store {
    sql: Sql,
    outbox: Outbox,
}

/// That the bank was asked about a charge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checked {
    pub(crate) key: Uuid,
    /// The check that was due; if somebody asked for another since, that one stays.
    pub(crate) claimed: Timestamp,
    pub(crate) next: Option<Timestamp>,
}

impl Store {
    pub(crate) fn new(sql: Sql, outbox: Outbox) -> Self {
        Self { sql, outbox }
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        self.sql.ping().await
    }

    pub(crate) async fn find(&self, key: Uuid) -> Result<Option<Charge>, Failure> {
        let one = sqlx::query("SELECT * FROM charges WHERE key = $1")
            .bind(key.to_string())
            .fetch_optional(self.sql.pool());
        let row = self.sql.run("SELECT", "charges", one).await?;
        row.as_ref().map(charge).transpose()
    }

    /// Lets `change` look at a row and alter it; no other writer comes in between. What it leaves
    /// as it was is not written; of money that was moved the others are told.
    pub(crate) async fn change<T>(
        &self,
        key: Uuid,
        around: &Around,
        change: impl FnOnce(&mut Option<Charge>) -> T,
    ) -> Result<T, Failure> {
        let mut tx = self.sql.begin_write().await?;
        let one = sqlx::query("SELECT * FROM charges WHERE key = $1")
            .bind(key.to_string())
            .fetch_optional(&mut *tx);
        let row = self.sql.run("SELECT", "charges", one).await?;
        let before = row.as_ref().map(charge).transpose()?;
        let mut after = before.clone();
        let value = change(&mut after);
        match &after {
            Some(charge) if before != after => {
                self.write(&mut tx, charge, before.is_none()).await?;
                let before = before.as_ref().map(|charge| charge.state);
                events::publish(&self.outbox, &mut tx, before, charge).await?;
            }
            _ => {
                tx.rollback().await?;
                return Ok(value);
            }
        }
        self.commit(tx, around).await?;
        Ok(value)
    }

    async fn commit(&self, tx: Transaction, around: &Around) -> Result<(), Failure> {
        around.before.pass().await?;
        tx.commit().await?;
        around.after.pass().await?;
        Ok(())
    }

    async fn write(
        &self,
        tx: &mut Transaction,
        charge: &Charge,
        is_new: bool,
    ) -> Result<(), StoreError> {
        let (verb, text) = if is_new {
            let insert = "INSERT INTO charges (state, bank_id, attempt, owner, due_at, check_at, \
                 checks, updated_at, key, order_id, member_id, amount, currency, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
            ("INSERT", insert)
        } else {
            let update = "UPDATE charges SET state = $1, bank_id = $2, attempt = $3, owner = $4, \
                 due_at = $5, check_at = $6, checks = $7, updated_at = $8 WHERE key = $9";
            ("UPDATE", update)
        };
        let mut query = sqlx::query(text);
        query = changing(query, charge).bind(charge.key.to_string());
        if is_new {
            let terms = charge.terms.as_ref();
            query = query
                .bind(terms.map(|terms| terms.order_id.to_string()))
                .bind(terms.map(|terms| terms.member_id.clone()))
                .bind(terms.map(|terms| terms.amount.amount))
                .bind(terms.map(|terms| terms.amount.currency.code()))
                .bind(charge.created_at.micros());
        }
        let write = query.execute(&mut **tx);
        self.sql.run(verb, "charges", write).await.map(drop)
    }

    /// Rows without an end whose claim is over, the longest first.
    pub(crate) async fn due(&self, now: Timestamp, limit: i64) -> Result<Vec<Charge>, Failure> {
        let some = sqlx::query("SELECT * FROM charges WHERE due_at <= $1 ORDER BY due_at LIMIT $2")
            .bind(now.micros())
            .bind(limit)
            .fetch_all(self.sql.pool());
        let rows = self.sql.run("SELECT", "charges", some).await?;
        rows.iter().map(charge).collect()
    }

    /// How many rows have no end yet.
    pub(crate) async fn unsettled(&self) -> Result<i64, Failure> {
        let count = sqlx::query("SELECT COUNT(*) AS unsettled FROM charges WHERE due_at > 0")
            .fetch_one(self.sql.pool());
        let row = self.sql.run("SELECT", "charges", count).await?;
        Ok(row.try_get("unsettled")?)
    }

    /// Claims settled rows about which the bank is to be asked, until `until`.
    pub(crate) async fn claim_checks(
        &self,
        now: Timestamp,
        until: Timestamp,
        limit: i64,
        around: &Around,
    ) -> Result<Vec<Charge>, Failure> {
        let mut tx = self.sql.begin_write().await?;
        let claim = sqlx::query(
            "UPDATE charges SET check_at = $1 WHERE key IN (SELECT key FROM charges \
             WHERE check_at <= $2 AND due_at IS NULL ORDER BY check_at LIMIT $3) RETURNING *",
        )
        .bind(until.micros())
        .bind(now.micros())
        .bind(limit)
        .fetch_all(&mut *tx);
        let rows = self.sql.run("UPDATE", "charges", claim).await?;
        self.commit(tx, around).await?;
        rows.iter().map(charge).collect()
    }

    /// Whether any check is due: reading is cheaper than claiming nothing.
    pub(crate) async fn has_checks(&self, now: Timestamp) -> Result<bool, Failure> {
        let one =
            sqlx::query("SELECT key FROM charges WHERE check_at <= $1 AND due_at IS NULL LIMIT 1")
                .bind(now.micros())
                .fetch_optional(self.sql.pool());
        Ok(self.sql.run("SELECT", "charges", one).await?.is_some())
    }

    /// Writes down that the bank was asked.
    pub(crate) async fn checked(
        &self,
        checked: &[Checked],
        around: &Around,
    ) -> Result<(), Failure> {
        let mut tx = self.sql.begin_write().await?;
        for check in checked {
            let update = sqlx::query(
                "UPDATE charges SET check_at = $1, checks = checks + 1 \
                 WHERE key = $2 AND check_at = $3",
            )
            .bind(check.next.map(Timestamp::micros))
            .bind(check.key.to_string())
            .bind(check.claimed.micros())
            .execute(&mut *tx);
            self.sql.run("UPDATE", "charges", update).await?;
        }
        self.commit(tx, around).await
    }
}

type Query = sqlx::query::Query<'static, sqlx::Any, AnyArguments>;

/// Binds what may change, in the order of both statements.
fn changing(query: Query, charge: &Charge) -> Query {
    query
        .bind(charge.state.name())
        .bind(charge.bank_id.map(|id| id.to_string()))
        .bind(charge.attempt)
        .bind(charge.owner.clone())
        .bind(charge.due_at.map(Timestamp::micros))
        .bind(charge.check_at.map(Timestamp::micros))
        .bind(charge.checks)
        .bind(charge.updated_at.micros())
}

fn charge(row: &AnyRow) -> Result<Charge, Failure> {
    let state: String = row.try_get("state")?;
    let at = |column| -> Result<_, sqlx::Error> {
        let micros: Option<i64> = row.try_get(column)?;
        Ok(micros.map(Timestamp::from_micros))
    };
    let key: String = row.try_get("key")?;
    Ok(Charge {
        key: id(&key, "key")?,
        terms: terms(row)?,
        state: State::from_name(&state).ok_or(Failure::Column("state"))?,
        bank_id: row
            .try_get::<Option<String>, _>("bank_id")?
            .map(|text| id(&text, "bank_id"))
            .transpose()?,
        attempt: row.try_get("attempt")?,
        owner: row.try_get("owner")?,
        due_at: at("due_at")?,
        check_at: at("check_at")?,
        checks: row.try_get("checks")?,
        created_at: Timestamp::from_micros(row.try_get("created_at")?),
        updated_at: Timestamp::from_micros(row.try_get("updated_at")?),
    })
}

fn terms(row: &AnyRow) -> Result<Option<Terms>, Failure> {
    let Some(order_id) = row.try_get::<Option<String>, _>("order_id")? else {
        return Ok(None);
    };
    let currency: String = row.try_get("currency")?;
    Ok(Some(Terms {
        order_id: id(&order_id, "order_id")?,
        member_id: row.try_get("member_id")?,
        amount: Money {
            amount: row.try_get("amount")?,
            currency: Currency::from_code(&currency).ok_or(Failure::Column("currency"))?,
        },
    }))
}

fn id(text: &str, column: &'static str) -> Result<Uuid, Failure> {
    text.parse().map_err(|_| Failure::Column(column))
}
