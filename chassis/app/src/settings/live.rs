use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

/// Settings that change while the service runs. Cheap to clone; each clone sees every change.
#[derive(Debug)]
pub struct Live<T> {
    current: Arc<ArcSwap<T>>,
    version: watch::Receiver<u64>,
}

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self {
            current: Arc::clone(&self.current),
            version: self.version.clone(),
        }
    }
}

impl<T> Live<T> {
    /// Settings that never change.
    pub fn fixed(value: T) -> Self {
        Self::new(value).1
    }

    pub(crate) fn new(value: T) -> (Writer<T>, Self) {
        let current = Arc::new(ArcSwap::from_pointee(value));
        let (sender, version) = watch::channel(0);
        let writer = Writer {
            current: Arc::clone(&current),
            version: sender,
        };
        (writer, Self { current, version })
    }

    /// What is in force now.
    #[must_use]
    pub fn load(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Waits for the next change since this clone last waited. Never returns once nothing can
    /// change any more.
    pub async fn changed(&mut self) -> Arc<T> {
        if self.version.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.load()
    }
}

#[derive(Debug)]
pub(crate) struct Writer<T> {
    current: Arc<ArcSwap<T>>,
    version: watch::Sender<u64>,
}

impl<T> Writer<T> {
    pub(crate) fn store(&self, value: T) {
        self.current.store(Arc::new(value));
        self.version.send_modify(|version| *version += 1);
    }
}
