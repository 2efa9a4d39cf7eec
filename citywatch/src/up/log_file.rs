//! A process's log on disk, bounded: the file and one older file of the same size at most.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Bytes after which a log is moved aside; with the one before it a process holds twice this.
pub(crate) const BOUND: u64 = 16 * 1024 * 1024;

pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    written: u64,
    bound: u64,
}

impl LogFile {
    pub(crate) fn open(path: &Path, bound: u64) -> io::Result<Self> {
        let file = append_to(path)?;
        let written = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            written,
            bound,
        })
    }

    /// Appends whole lines; moves the full file aside first.
    pub(crate) fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let length = lines.len() as u64;
        if self.written > 0 && self.written + length > self.bound {
            std::fs::rename(&self.path, older(&self.path))?;
            self.file = append_to(&self.path)?;
            self.written = 0;
        }
        self.file.write_all(lines)?;
        self.written += length;
        Ok(())
    }
}

/// `users-1.log` is followed by `users-1.log.1`.
pub(crate) fn older(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_at_most_two_files_of_the_bound() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users-1.log");
        let mut log = LogFile::open(&path, 100).unwrap();
        for _ in 0..50 {
            log.append(b"0123456789abcdefghij\n").unwrap();
        }
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&path) <= 100);
        assert!(size(&older(&path)) <= 100);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn goes_on_where_the_last_run_ended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users-1.log");
        LogFile::open(&path, 100).unwrap().append(b"one\n").unwrap();
        LogFile::open(&path, 100).unwrap().append(b"two\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }
}
