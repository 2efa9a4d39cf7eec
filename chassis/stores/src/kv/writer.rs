//! One thread that writes: whatever waits when the disk is free goes into one transaction, so
//! that many writers share the wait for the disk.

use std::sync::Arc;
use std::thread;

use redb::{Database, ReadableTable, WriteTransaction};
use tokio::sync::{mpsc, oneshot, watch};

use super::{KvError, PATIENCE, Table};

/// Changes that may wait for the thread; each is a request that waits.
const QUEUE: usize = 256;

/// Most changes of one transaction.
const BATCH: usize = 64;

/// One value's change.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) collection: &'static str,
    pub(super) key: String,
    pub(super) expected: Expected,
    pub(super) new: Option<Vec<u8>>,
}

/// What a value must be for its change to be made.
#[derive(Debug)]
pub(super) enum Expected {
    Any,
    Exactly(Option<Vec<u8>>),
}

struct Job {
    change: Change,
    done: oneshot::Sender<Result<bool, KvError>>,
}

/// The thread, from outside. It ends with the last clone of this, or by its first error.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    life: watch::Receiver<()>,
}

impl Writer {
    pub(super) fn start(database: Arc<Database>) -> Result<Self, KvError> {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let (alive, life) = watch::channel(());
        let thread = thread::Builder::new().name("kv-writer".to_owned());
        thread
            .spawn(move || {
                // Dropped however the thread ends, a panic included.
                let _alive = alive;
                run(&database, waiting);
            })
            .map_err(|error| KvError::of_engine(redb::Error::Io(error)))?;
        Ok(Self { jobs, life })
    }

    /// Makes the change and waits until it is durable; false if it was not to be made.
    pub(super) async fn commit(&self, change: Change) -> Result<bool, KvError> {
        let (done, outcome) = oneshot::channel();
        let sent = self.jobs.send_timeout(Job { change, done }, PATIENCE).await;
        sent.map_err(|refused| match refused {
            mpsc::error::SendTimeoutError::Timeout(_) => KvError::Busy,
            mpsc::error::SendTimeoutError::Closed(_) => KvError::Closed,
        })?;
        outcome.await.map_err(|_| KvError::Closed)?
    }

    pub(super) fn has_ended(&self) -> bool {
        self.jobs.is_closed()
    }

    pub(super) fn life(&self) -> watch::Receiver<()> {
        self.life.clone()
    }
}

fn run(database: &Database, mut waiting: mpsc::Receiver<Job>) {
    let mut batch = Vec::new();
    while waiting.blocking_recv_many(&mut batch, BATCH) > 0 {
        let (changes, asked): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|job| (job.change, job.done)).unzip();
        match commit(database, &changes) {
            // Whoever hung up does not want to know.
            Ok(outcomes) => asked.into_iter().zip(outcomes).for_each(|(done, outcome)| {
                let _ = done.send(Ok(outcome));
            }),
            Err(error) => {
                tracing::error!(%error, changes = changes.len(), "store cannot write any more");
                let error = KvError::of_engine(error);
                for done in asked {
                    let _ = done.send(Err(error.clone()));
                }
                return;
            }
        }
    }
}

/// Makes the changes in turn, each upon those before it. None is seen before all are durable.
fn commit(database: &Database, changes: &[Change]) -> Result<Vec<bool>, redb::Error> {
    let tx = database.begin_write()?;
    let made = changes.iter().map(|change| apply(&tx, change));
    let made = made.collect::<Result<Vec<_>, _>>()?;
    if made.contains(&true) {
        tx.commit()?;
    } else {
        tx.abort()?;
    }
    Ok(made)
}

fn apply(tx: &WriteTransaction, change: &Change) -> Result<bool, redb::Error> {
    let mut table = tx.open_table(Table::new(change.collection))?;
    let key = change.key.as_str();
    let was_there = {
        let current = table.get(key)?;
        let current = current.as_ref().map(redb::AccessGuard::value);
        match &change.expected {
            Expected::Exactly(expected) if current != expected.as_deref() => return Ok(false),
            _ => current.is_some(),
        }
    };
    match &change.new {
        Some(value) => drop(table.insert(key, value.as_slice())?),
        None => drop(table.remove(key)?),
    }
    let removed_nothing = change.new.is_none() && !was_there;
    Ok(!removed_nothing || matches!(change.expected, Expected::Exactly(_)))
}
