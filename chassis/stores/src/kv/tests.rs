//! A disk that fails.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redb::backends::InMemoryBackend;
use redb::{Builder, StorageBackend};
use telemetry::{Exporter, Service, Telemetry};

use super::calls::Calls;
use super::{Kv, KvError, open};

/// Takes what is written, and loses it once it is told to fail.
#[derive(Debug)]
struct Disk {
    inner: InMemoryBackend,
    fails: Arc<AtomicBool>,
}

impl Disk {
    fn works(&self) -> io::Result<()> {
        match self.fails.load(Ordering::Relaxed) {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.works()?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.works()?;
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.works()?;
        self.inner.write(offset, data)
    }
}

fn on_a_disk() -> (Kv, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(false));
    let disk = Disk {
        inner: InMemoryBackend::new(),
        fails: Arc::clone(&fails),
    };
    let database = Builder::new().create_with_backend(disk).unwrap();
    let builder = Telemetry::builder(Service::new("shop", "0.0.0"));
    let builder = builder.exporter(Exporter::None).without_subscriber();
    let telemetry = builder.build().unwrap();
    let kv = open::over(database, Calls::new(&telemetry, "test.redb"));
    (kv.unwrap(), fails)
}

#[tokio::test]
async fn a_disk_that_failed_is_trusted_no_more() {
    let (kv, fails) = on_a_disk();
    let hats = kv.collection("hats");
    hats.put("a", b"fez".to_vec()).await.unwrap();
    let ended = kv.ended();
    tokio::pin!(ended);
    let early = tokio::time::timeout(Duration::from_millis(20), &mut ended).await;
    assert!(early.is_err(), "it ended while all was well");

    fails.store(true, Ordering::Relaxed);
    let puts = (0..5).map(|n| {
        let hats = hats.clone();
        tokio::spawn(async move { hats.put(&n.to_string(), Vec::new()).await })
    });
    for put in puts.collect::<Vec<_>>() {
        let error = put.await.unwrap().unwrap_err();
        assert!(matches!(error, KvError::Failed(_) | KvError::Closed));
    }
    ended.await;
    // Room on the disk does not make good what was half written.
    fails.store(false, Ordering::Relaxed);
    let error = hats.put("b", Vec::new()).await.unwrap_err();
    assert!(matches!(error, KvError::Closed), "{error:?}");
    let error = kv.ping().await.unwrap_err();
    assert!(matches!(error, KvError::Closed), "{error:?}");
}

/// The disk fails under one, who is told so; never is one answered whose change is lost.
#[tokio::test]
async fn writers_that_share_a_commit_share_its_failure() {
    let (kv, fails) = on_a_disk();
    let hats = kv.collection("hats");
    fails.store(true, Ordering::Relaxed);
    let put = |key| hats.compare_and_set(key, None, Some(vec![1]));
    let (a, b, c) = tokio::join!(put("a"), put("b"), put("c"));
    for outcome in [a, b, c] {
        assert!(outcome.is_err(), "{outcome:?}");
    }
}
