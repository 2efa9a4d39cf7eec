//! Which constraint was violated.
//!
//! SQLite says `UNIQUE constraint failed: users.email`, never the constraint's name. The names
//! are in the statements that made the tables and indexes, which the database keeps; they are
//! read once, when the store is opened.

use std::collections::BTreeMap;

use sqlx::AnyPool;
use sqlx::Row;

use super::{ConstraintKind, StoreError};

mod ddl;

/// The constraints that SQLite does not name itself.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// From SQLite's `table.column, table.column` to the name.
    unique: BTreeMap<String, String>,
    foreign: Vec<ForeignKey>,
}

#[derive(Debug, PartialEq, Eq)]
struct ForeignKey {
    name: String,
    table: String,
    references: String,
}

impl Schema {
    pub(super) async fn read(pool: &AnyPool) -> Result<Self, StoreError> {
        let rows = sqlx::query(
            "SELECT tbl_name, sql FROM sqlite_master \
             WHERE type IN ('table', 'index') AND sql IS NOT NULL ORDER BY type, name",
        )
        .fetch_all(pool)
        .await?;
        let mut schema = Self::default();
        for row in rows {
            let table: String = row.try_get("tbl_name")?;
            let sql: String = row.try_get("sql")?;
            schema.add(&table, &sql);
        }
        Ok(schema)
    }

    fn add(&mut self, table: &str, sql: &str) {
        for constraint in ddl::constraints(sql) {
            match constraint.references {
                Some(references) => self.foreign.push(ForeignKey {
                    name: constraint.name,
                    table: table.to_owned(),
                    references,
                }),
                None => {
                    let columns: Vec<_> = constraint
                        .columns
                        .iter()
                        .map(|column| format!("{table}.{column}"))
                        .collect();
                    self.unique.insert(columns.join(", "), constraint.name);
                }
            }
        }
    }

    /// The name, as far as SQLite's message and the statement tell.
    pub(super) fn name_of(
        &self,
        kind: ConstraintKind,
        message: &str,
        operation: &str,
        collection: &str,
    ) -> Option<String> {
        // "UNIQUE constraint failed: users.email"; of an index over expressions
        // "UNIQUE constraint failed: index 'users_email_key'".
        let what = message
            .split_once("constraint failed: ")
            .map(|(_, what)| what);
        match kind {
            ConstraintKind::Check | ConstraintKind::NotNull => what.map(str::to_owned),
            ConstraintKind::Unique => {
                let what = what?;
                let index = what
                    .strip_prefix("index '")
                    .and_then(|index| index.strip_suffix('\''));
                match index {
                    Some(index) => Some(index.to_owned()),
                    None => self.unique.get(what).cloned(),
                }
            }
            ConstraintKind::ForeignKey => self.foreign_key(operation, collection),
        }
    }

    fn foreign_key(&self, operation: &str, table: &str) -> Option<String> {
        let deletes = operation == "DELETE";
        let mut candidates = self.foreign.iter().filter(|key| {
            let side = if deletes { &key.references } else { &key.table };
            side == table
        });
        match (candidates.next(), candidates.next()) {
            (Some(only), None) => Some(only.name.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Schema;
    use crate::sql::ConstraintKind::{Check, ForeignKey, NotNull, Unique};

    #[test]
    fn names_come_from_the_columns() {
        let mut schema = Schema::default();
        schema.add(
            "members",
            "CREATE TABLE members (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, \
             city TEXT, street TEXT, CONSTRAINT members_address_key UNIQUE (city, street))",
        );
        schema.add(
            "posts",
            "CREATE TABLE posts (id TEXT, author TEXT CONSTRAINT posts_author_fkey REFERENCES members (id))",
        );
        let name =
            |kind, message: &str, operation, table| schema.name_of(kind, message, operation, table);
        for (kind, message, operation, table, expected) in [
            (
                Unique,
                "UNIQUE constraint failed: members.id",
                "INSERT",
                "members",
                Some("members_pkey"),
            ),
            (
                Unique,
                "UNIQUE constraint failed: members.email",
                "INSERT",
                "members",
                Some("members_email_key"),
            ),
            (
                Unique,
                "UNIQUE constraint failed: members.city, members.street",
                "UPDATE",
                "members",
                Some("members_address_key"),
            ),
            (
                Unique,
                "UNIQUE constraint failed: index 'by_lower'",
                "INSERT",
                "members",
                Some("by_lower"),
            ),
            (
                Unique,
                "UNIQUE constraint failed: members.other",
                "INSERT",
                "members",
                None,
            ),
            (
                Check,
                "CHECK constraint failed: members_age_check",
                "INSERT",
                "members",
                Some("members_age_check"),
            ),
            (
                NotNull,
                "NOT NULL constraint failed: members.email",
                "INSERT",
                "members",
                Some("members.email"),
            ),
            (
                ForeignKey,
                "FOREIGN KEY constraint failed",
                "INSERT",
                "posts",
                Some("posts_author_fkey"),
            ),
            (
                ForeignKey,
                "FOREIGN KEY constraint failed",
                "DELETE",
                "members",
                Some("posts_author_fkey"),
            ),
            (
                ForeignKey,
                "FOREIGN KEY constraint failed",
                "INSERT",
                "members",
                None,
            ),
        ] {
            assert_eq!(
                name(kind, message, operation, table).as_deref(),
                expected,
                "{message}"
            );
        }
    }
}
