//! Which database product is called.

/// A database product: the attribute
/// [`db.system.name`](https://opentelemetry.io/docs/specs/semconv/registry/attributes/db/#db-system-name).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    name: &'static str,
    /// 0 when there is none.
    default_port: u16,
    /// `"a"` may be a string.
    double_quotes_are_strings: bool,
}

impl System {
    /// MariaDB.
    pub const MARIADB: System = System::known("mariadb", 3306, true);
    /// Microsoft SQL Server.
    pub const MICROSOFT_SQL_SERVER: System = System::known("microsoft.sql_server", 1433, true);
    /// MongoDB.
    pub const MONGODB: System = System::known("mongodb", 27017, true);
    /// MySQL.
    pub const MYSQL: System = System::known("mysql", 3306, true);
    /// PostgreSQL.
    pub const POSTGRESQL: System = System::known("postgresql", 5432, false);
    /// Redis.
    pub const REDIS: System = System::known("redis", 6379, true);
    /// SQLite: no server, and `"a"` is a string where it is no column.
    pub const SQLITE: System = System::known("sqlite", 0, true);

    /// Another product, by its name in the convention's list; one that is not on it by its own
    /// name in lower case, without a version.
    #[must_use]
    pub const fn named(name: &'static str) -> System {
        System::known(name, 0, true)
    }

    const fn known(
        name: &'static str,
        default_port: u16,
        double_quotes_are_strings: bool,
    ) -> System {
        System {
            name,
            default_port,
            double_quotes_are_strings,
        }
    }

    /// The name as it is sent.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The port that needs no mention.
    pub(super) const fn default_port(self) -> u16 {
        self.default_port
    }

    pub(in super::super) const fn double_quotes_are_strings(self) -> bool {
        self.double_quotes_are_strings
    }
}
