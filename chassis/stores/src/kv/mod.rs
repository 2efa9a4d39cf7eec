//! Values by key, for data that is read and written whole.
//!
//! A store holds [`Collection`]s of values. Reads see what is committed; a write is answered when
//! it has outlived the loss of power. What depends on the value before is written by
//! [`Collection::compare_and_set`]: it is the fence between writers on every engine, also where
//! they are not in one process.
//!
//! `redb:carts.redb` is a file that one process holds at a time; a second one is refused. Each
//! operation is a child span of the request and is counted, as SQL's statements are.

mod calls;
mod error;
mod open;
mod writer;

#[cfg(test)]
mod tests;

pub use error::KvError;
pub use open::open;

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use redb::{Database, ReadTransaction, ReadableDatabase, TableDefinition, TableError};
use tokio::sync::{Semaphore, watch};

use calls::Calls;
use writer::{Change, Expected, Writer};

/// How long an operation waits for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

type Table<'a> = TableDefinition<'a, &'static str, &'static [u8]>;

/// A store that is open. Cloning it is cheap; the file is closed with the last clone.
#[derive(Debug, Clone)]
pub struct Kv {
    database: Arc<Database>,
    writer: Writer,
    /// Reads may have to wait for the disk; only so many threads do.
    readers: Arc<Semaphore>,
    calls: Calls,
}

impl Kv {
    /// The values called `name`; there are none until the first is written.
    #[must_use]
    pub fn collection(&self, name: &'static str) -> Collection {
        Collection {
            kv: self.clone(),
            name,
        }
    }

    /// Whether the store answers; for `/readyz`.
    ///
    /// # Errors
    /// Whatever kept it from answering.
    pub async fn ping(&self) -> Result<(), KvError> {
        if self.writer.has_ended() {
            return Err(KvError::Closed);
        }
        let ping = self.read(|tx| Ok(tx.list_tables()?.count()));
        self.calls.observe("PING", "", ping).await.map(drop)
    }

    /// Waits until the store can write no more: after the disk has failed it there is no telling
    /// what the file holds, and only opening it again finds out. Never returns otherwise.
    pub fn ended(&self) -> impl Future<Output = ()> + Send + 'static {
        ended(self.writer.life())
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error> + Send + 'static,
    ) -> Result<T, KvError> {
        let turn = Arc::clone(&self.readers).acquire_owned();
        let turn = tokio::time::timeout(PATIENCE, turn).await;
        let turn = turn.map_err(|_| KvError::Busy)?;
        let turn = turn.map_err(|_| KvError::Closed)?;
        let database = Arc::clone(&self.database);
        let read = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&database.begin_read()?)
        });
        match read.await {
            Ok(read) => read.map_err(KvError::of_engine),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends.
                Err(_) => Err(KvError::Closed),
            },
        }
    }

    async fn write(&self, change: Change) -> Result<bool, KvError> {
        self.writer.commit(change).await
    }
}

async fn ended(mut life: watch::Receiver<()>) {
    // Nothing is ever sent: what is heard is the writer's end.
    while life.changed().await.is_ok() {}
}

/// Values of one kind, by key.
#[derive(Debug, Clone)]
pub struct Collection {
    kv: Kv,
    name: &'static str,
}

impl Collection {
    /// The value of `key`, if it has one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, KvError> {
        let (name, key) = (self.name, key.to_owned());
        let get = self.kv.read(move |tx| {
            let Some(table) = existing(tx, name)? else {
                return Ok(None);
            };
            let value = table.get(key.as_str())?;
            Ok(value.map(|value| value.value().to_vec()))
        });
        self.kv.calls.observe("GET", self.name, get).await
    }

    /// Up to `limit` keys with their values, in the order of the keys, from the first one behind
    /// `after`. Pages are not of one moment: what is written meanwhile may be seen or not.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn scan(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Vec<u8>)>, KvError> {
        let (name, after) = (self.name, after.map(str::to_owned));
        let scan = self.kv.read(move |tx| {
            let Some(table) = existing(tx, name)? else {
                return Ok(Vec::new());
            };
            let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let entries = table.range::<&str>((from, Bound::Unbounded))?;
            let read = entries.take(limit).map(|entry| {
                let (key, value) = entry?;
                Ok((key.value().to_owned(), value.value().to_vec()))
            });
            read.collect()
        });
        self.kv.calls.observe("SCAN", self.name, scan).await
    }

    /// Gives `key` the value, whatever it had.
    ///
    /// # Errors
    /// Those of the store; after [`KvError::Failed`] the value may have been written or not.
    pub async fn put(&self, key: &str, value: Vec<u8>) -> Result<(), KvError> {
        let change = self.change(key, Expected::Any, Some(value));
        let put = self.kv.calls.observe("PUT", self.name, change).await;
        put.map(drop)
    }

    /// Removes `key`; false if it was not there.
    ///
    /// # Errors
    /// Those of the store; after [`KvError::Failed`] it may have been removed or not.
    pub async fn delete(&self, key: &str) -> Result<bool, KvError> {
        let change = self.change(key, Expected::Any, None);
        self.kv.calls.observe("DELETE", self.name, change).await
    }

    /// In one transaction: if `key` has the `expected` value (`None`: if it has none), gives it
    /// the `new` one (`None`: removes it). False if it has another, and then nothing changes.
    ///
    /// # Errors
    /// Those of the store; after [`KvError::Failed`] the value may have been written or not.
    pub async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    ) -> Result<bool, KvError> {
        let change = self.change(key, Expected::Exactly(expected), new);
        let calls = &self.kv.calls;
        calls.observe("COMPARE_AND_SET", self.name, change).await
    }

    fn change(
        &self,
        key: &str,
        expected: Expected,
        new: Option<Vec<u8>>,
    ) -> impl Future<Output = Result<bool, KvError>> {
        self.kv.write(Change {
            collection: self.name,
            key: key.to_owned(),
            expected,
            new,
        })
    }
}

fn existing(
    tx: &ReadTransaction,
    name: &'static str,
) -> Result<Option<redb::ReadOnlyTable<&'static str, &'static [u8]>>, redb::Error> {
    match tx.open_table(Table::new(name)) {
        Ok(table) => Ok(Some(table)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
