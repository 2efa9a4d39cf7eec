//! Which database product is called.

/// A database product: the attribute
/// [`db.system.name`](https://opentelemetry.io/docs/specs/semconv/registry/attributes/db/#db-system-name).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    name: &'static str,
    /// `"a"` may be a string.
    double_quotes_are_strings: bool,
}

impl System {
    /// MariaDB.
    pub const MARIADB: System = System::known("mariadb", true);
    /// Microsoft SQL Server.
    pub const MICROSOFT_SQL_SERVER: System = System::known("microsoft.sql_server", true);
    /// MongoDB.
    pub const MONGODB: System = System::known("mongodb", true);
    /// MySQL.
    pub const MYSQL: System = System::known("mysql", true);
    /// PostgreSQL.
    pub const POSTGRESQL: System = System::known("postgresql", false);
    /// Redis.
    pub const REDIS: System = System::known("redis", true);
    /// SQLite: no server, and `"a"` is a string where it is no column.
    pub const SQLITE: System = System::known("sqlite", true);

    /// Another product, by its name in the convention's list; one that is not on it by its own
    /// name in lower case, without a version.
    #[must_use]
    pub const fn named(name: &'static str) -> System {
        System::known(name, true)
    }

    const fn known(name: &'static str, double_quotes_are_strings: bool) -> System {
        System {
            name,
            double_quotes_are_strings,
        }
    }

    /// The name as it is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    pub(in super::super) const fn double_quotes_are_strings(self) -> bool {
        self.double_quotes_are_strings
    }
}
