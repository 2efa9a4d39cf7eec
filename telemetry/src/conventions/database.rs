//! Calls of a database, by the
//! [conventions for database clients](https://opentelemetry.io/docs/specs/semconv/db/).
//!
//! ```no_run
//! use telemetry::database::System;
//! # async fn load(telemetry: telemetry::Telemetry) -> Result<(), std::io::Error> {
//! let orders = telemetry.database(System::POSTGRESQL).namespace("orders").server("db.city", 5432);
//!
//! let mut select = orders
//!     .operation("SELECT")
//!     .collection("orders")
//!     .query("SELECT id FROM orders WHERE customer = $1")
//!     .start();
//! let rows = select.in_scope(async { Ok::<_, std::io::Error>(vec![1, 2]) }).await;
//! match rows {
//!     Ok(rows) => {
//!         select.returned_rows(rows.len() as u64);
//!         select.finish();
//!     }
//!     Err(_) => select.fail("io"),
//! }
//! # Ok(())
//! # }
//! ```

mod operation;
mod pool;
mod system;

pub use self::operation::{Operation, OperationBuilder};
pub use self::pool::Pool;
pub use self::system::System;
pub use super::sql::{sanitize, summary};
pub use crate::metrics::PoolState;

use super::server::Server;
use crate::core::Alive;
use crate::sync::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// One database as a client sees it: see [`Telemetry::database`](crate::Telemetry::database).
/// Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Database {
    core: Arc<Alive>,
    about: Arc<About>,
}

/// What is the same for every call.
#[derive(Debug)]
struct About {
    system: System,
    /// Empty when there is none.
    namespace: Arc<str>,
    server: Server,
    within_traces_only: bool,
    /// Text that was made of parts of the program before.
    texts: Mutex<HashMap<Text, Arc<str>>>,
}

/// Text that is made of parts of the program, and so is the same each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Text {
    /// Two words, the second of which may be empty.
    Words(&'static str, &'static str),
    /// The summary of a statement.
    SummaryOf(&'static str),
}

impl Database {
    pub(crate) fn new(core: &Arc<Alive>, system: System) -> Database {
        Database {
            core: Arc::clone(core),
            about: Arc::new(About {
                system,
                namespace: "".into(),
                server: Server::default(),
                within_traces_only: false,
                texts: Mutex::default(),
            }),
        }
    }

    fn with(self, change: impl FnOnce(&mut About)) -> Database {
        let mut about = About {
            system: self.about.system,
            namespace: Arc::clone(&self.about.namespace),
            server: self.about.server.clone(),
            within_traces_only: self.about.within_traces_only,
            texts: Mutex::default(),
        };
        change(&mut about);
        Database {
            core: self.core,
            about: Arc::new(about),
        }
    }

    /// The database's name on its server: `db.namespace`. Of several parts the most general comes
    /// first, with `|` between them.
    #[must_use]
    pub fn namespace(self, namespace: &str) -> Database {
        self.with(|about| about.namespace = namespace.into())
    }

    /// Where the database is. The system's own port is left out of spans and metrics.
    #[must_use]
    pub fn server(self, address: &str, port: u16) -> Database {
        let known = port == self.about.system.default_port();
        let port = if known { 0 } else { port };
        self.with(|about| about.server = Server::new(address, port))
    }

    /// Makes no spans outside of any trace: what is done in the background is counted, and does
    /// not begin a trace each time.
    #[must_use]
    pub fn within_traces_only(self) -> Database {
        self.with(|about| about.within_traces_only = true)
    }

    fn text(&self, text: Text) -> Arc<str> {
        let mut texts = lock(&self.about.texts);
        let text = texts.entry(text).or_insert_with(|| match text {
            Text::Words(one, "") => one.into(),
            Text::Words(one, two) => format!("{one} {two}").into(),
            Text::SummaryOf(sql) => summary(sql).into(),
        });
        Arc::clone(text)
    }

    /// A call that does one operation, such as `SELECT`, as the database calls it.
    pub fn operation(&self, name: &'static str) -> OperationBuilder<'_> {
        OperationBuilder::new(self, name)
    }

    /// Counts the connections of a pool: `state` is asked whenever metrics are, until the returned
    /// handle and its clones are dropped. The `name` is unique within the service.
    #[must_use]
    pub fn pool(&self, name: &str, state: impl Fn() -> PoolState + Send + Sync + 'static) -> Pool {
        Pool::new(&self.core, name, state)
    }
}
