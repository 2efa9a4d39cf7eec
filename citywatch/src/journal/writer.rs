//! One thread that writes; whoever adds a record is answered once it is durable. All that wait
//! share one fsync, so that many at once cost as little as one.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::{Context, Result};
use tokio::sync::oneshot;

use super::Record;

/// Records that share one fsync at most.
const BATCH: usize = 256;

struct Entry {
    line: Vec<u8>,
    durable: oneshot::Sender<Result<(), String>>,
}

/// An open journal. The thread ends with the last handle.
#[derive(Clone)]
pub(crate) struct Journal {
    entries: Sender<Entry>,
    path: PathBuf,
}

impl Journal {
    /// Opens it for adding; a torn last line, which nobody was promised, is cut off.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = open(path).with_context(|| format!("open journal {}", path.display()))?;
        let (entries, received) = channel();
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || write(file, &received))
            .context("start the journal's thread")?;
        Ok(Self {
            entries,
            path: path.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a record; it is durable when this returns.
    pub(crate) async fn add(&self, record: &Record) -> Result<()> {
        let mut line = serde_json::to_vec(record).context("write a record")?;
        line.push(b'\n');
        let (durable, answered) = oneshot::channel();
        let gone = || format!("journal {}: its thread is gone", self.path.display());
        self.entries
            .send(Entry { line, durable })
            .ok()
            .with_context(gone)?;
        match answered.await.ok().with_context(gone)? {
            Ok(()) => Ok(()),
            Err(why) => anyhow::bail!("journal {}: {why}", self.path.display()),
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let whole = whole_lines(&mut file, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    Ok(file)
}

/// Length up to the end of the last whole line.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    const STEP: u64 = 4096;
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        Read::by_ref(file)
            .take(end - start)
            .read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn write(mut file: File, entries: &Receiver<Entry>) {
    while let Ok(first) = entries.recv() {
        let mut batch = vec![first];
        batch.extend(entries.try_iter().take(BATCH - 1));
        let lines: Vec<u8> = batch
            .iter()
            .flat_map(|entry| &entry.line)
            .copied()
            .collect();
        let written = file
            .write_all(&lines)
            .and_then(|()| file.sync_data())
            .map_err(|error| error.to_string());
        for entry in batch {
            // Whoever no longer waits has no use for the answer.
            let _ = entry.durable.send(written.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Op, read};

    #[tokio::test]
    async fn what_was_answered_is_in_the_file_and_a_torn_line_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orders.jsonl");
        let journal = Journal::open(&path).unwrap();
        let adding = (0..500).map(|number| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let record = Record::new(Op::Invoke, &number.to_string());
                journal.add(&record).await.unwrap();
            })
        });
        for added in adding.collect::<Vec<_>>() {
            added.await.unwrap();
        }
        let mut keys: Vec<u32> = read(&path)
            .unwrap()
            .iter()
            .map(|record| record.key.parse().unwrap())
            .collect();
        keys.sort_unstable();
        assert!(keys.into_iter().eq(0..500));

        let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
        torn.write_all(&vec![b'x'; 9_000]).unwrap();
        let again = Journal::open(&path).unwrap();
        again.add(&Record::new(Op::Info, "last")).await.unwrap();
        let records = read(&path).unwrap();
        assert_eq!(records.len(), 501);
        assert_eq!(records[500].key, "last");
    }
}
