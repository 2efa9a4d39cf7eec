use std::fmt;

/// What a violated constraint demanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConstraintKind {
    /// A unique index, a unique constraint or a primary key.
    Unique,
    /// A `CHECK`.
    Check,
    /// A reference to a row that is not there, or from a row that still is.
    ForeignKey,
    /// A `NOT NULL`.
    NotNull,
}

impl fmt::Display for ConstraintKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unique => "unique",
            Self::Check => "check",
            Self::ForeignKey => "foreign key",
            Self::NotNull => "not null",
        })
    }
}

/// A violated constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// What it demanded.
    pub kind: ConstraintKind,
    /// Its name in the schema, if it could be told.
    ///
    /// SQLite names only check constraints. A unique constraint is found by its columns; a
    /// foreign key by its table, which is certain only when the table has no other; a `NOT NULL`
    /// is called `table.column`.
    pub name: Option<String>,
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} constraint {name} is violated", self.kind),
            None => write!(f, "a {} constraint is violated", self.kind),
        }
    }
}
