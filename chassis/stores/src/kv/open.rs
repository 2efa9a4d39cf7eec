use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::{Builder, Database, DatabaseError};
use telemetry::Telemetry;
use tokio::sync::Semaphore;

use super::calls::Calls;
use super::writer::Writer;
use super::{Kv, KvError};
use crate::file;

/// Pages that are kept in memory, in bytes. The engine's own default is a gigabyte; the system
/// caches the file as well.
const CACHE: usize = 4 << 20;

/// How many reads may wait for the disk at once.
const READERS: usize = 2;

/// How long an instance that goes may take to let go of the file before the next is refused.
const HANDOVER: Duration = Duration::from_secs(1);

/// Opens the store that `url` names, and makes it if it is not there.
///
/// `redb:carts.redb` is a file in `data_dir`, `redb:/srv/carts.redb` a file of its own. A new file
/// can be read by its owner alone. The whole file is checked: what a crash left half done is
/// undone, and what was damaged from outside is refused. Operations are told to `telemetry`,
/// under the file's name.
///
/// # Errors
/// [`KvError::Url`] for an engine that is not supported, [`KvError::InUse`] when another process
/// has the file, [`KvError::Open`] when the file is damaged or is none of this engine's.
pub async fn open(telemetry: &Telemetry, store_url: &str, data_dir: &Path) -> Result<Kv, KvError> {
    let path = file::named_by(store_url, "redb", data_dir).map_err(KvError::Url)?;
    file::prepare(&path).map_err(|source| KvError::File {
        path: path.clone(),
        source: Arc::new(source),
    })?;
    let calls = Calls::new(telemetry, &file::name(&path));
    let opened = tokio::task::spawn_blocking(move || first_free(&path)).await;
    over(opened.map_err(|_| KvError::Closed)??, calls)
}

pub(super) fn over(database: Database, calls: Calls) -> Result<Kv, KvError> {
    let database = Arc::new(database);
    let writer = Writer::start(Arc::clone(&database))?;
    Ok(Kv {
        database,
        writer,
        readers: Arc::new(Semaphore::new(READERS)),
        calls,
    })
}

fn first_free(path: &Path) -> Result<Database, KvError> {
    let started = Instant::now();
    loop {
        let opened = Builder::new()
            .set_cache_size(CACHE)
            .set_check_integrity_on_open(true)
            .create(path);
        match opened {
            Ok(database) => return Ok(database),
            // Nobody tells when a file lock is free.
            Err(DatabaseError::DatabaseAlreadyOpen) if started.elapsed() < HANDOVER => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch) => {
                return Err(KvError::InUse(path.to_owned()));
            }
            Err(source) => {
                return Err(KvError::Open {
                    path: path.to_owned(),
                    source: Arc::new(source),
                });
            }
        }
    }
}
