use std::io::Write;
use std::sync::{Arc, Mutex};

use discovery::Discovery;
use tracing_subscriber::fmt::MakeWriter;

use crate::fake::{Fake, Mood};

/// Log lines, in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn with(&self, message: &str) -> usize {
        let bytes = self.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        text.lines().filter(|line| line.contains(message)).count()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn an_outage_is_two_lines_however_many_wait_for_its_end() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_max_level(tracing::Level::INFO)
        .finish();
    let _captured = tracing::subscriber::set_default(subscriber);

    let mut fake = Fake::start().await;
    fake.set(Mood::Broken);
    let client = fake.client();
    let discovery = Discovery::registry(client.clone());
    let names = ["catalog", "users", "gateway", "orders"];
    let _lists = names.map(|name| discovery.watch(name));
    let _documents = names.map(|name| client.watch_document(name));
    for _ in 0..names.len() * 2 * 4 {
        fake.request().await;
    }
    assert_eq!(lines.with("registry is away"), 1);
    assert_eq!(lines.with("registry is back"), 0);

    fake.set(Mood::Fine);
    for _ in 0..names.len() * 2 {
        fake.stream().await.send("document", "null");
    }
    assert!(lines.with("registry is back") >= 1);
}
