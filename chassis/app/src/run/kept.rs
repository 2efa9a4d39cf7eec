//! What a service knows of the city, on disk: it can then start, verify tokens, obey its limits
//! and find the others while the registry is away.

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use discovery::{Document, Endpoint};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Known {
    /// The last good version of each document.
    #[serde(default)]
    pub(super) documents: Vec<Document>,
    /// Where the instances of each service were last. Some may be gone: callers pass over those.
    #[serde(default)]
    pub(super) instances: BTreeMap<String, Vec<Endpoint>>,
}

/// The file. Instances of one service share it: they know the same, and each writes the whole.
pub(super) struct Kept {
    path: PathBuf,
    beside: PathBuf,
    written: Known,
}

impl Kept {
    pub(super) fn new(data_dir: &Path, service: &str, instance_id: &str) -> Self {
        let folder = data_dir.join("cache");
        Self {
            path: folder.join(format!("{service}.json")),
            beside: folder.join(format!("{service}.{instance_id}.tmp")),
            written: Known::default(),
        }
    }

    /// Nothing if there is no file, or none that can be used.
    pub(super) fn read(&self) -> Known {
        let read = || Ok(serde_json::from_slice(&std::fs::read(&self.path)?)?);
        read().unwrap_or_else(|error: io::Error| {
            if error.kind() != io::ErrorKind::NotFound {
                let path = self.path.display();
                tracing::warn!(%path, %error, "what was kept cannot be read; asking the registry");
            }
            Known::default()
        })
    }

    /// Writes what is news.
    pub(super) fn write(&mut self, known: Known) {
        if known == self.written {
            return;
        }
        match self.replace(&known) {
            Ok(()) => self.written = known,
            Err(error) => {
                let path = self.path.display();
                tracing::warn!(%path, %error, "cannot be kept; a start without registry will lack it");
            }
        }
    }

    /// Written beside and renamed: a crash leaves the old file or the new one.
    fn replace(&self, known: &Known) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.beside)?
            .write_all(&serde_json::to_vec(known)?)?;
        std::fs::rename(&self.beside, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn known(name: &str) -> Known {
        let document = Document {
            name: name.to_owned(),
            version: 1,
            updated_at: "2026-01-01T00:00:00Z".to_owned(),
            updated_by: "test".to_owned(),
            value: serde_json::json!({}),
        };
        Known {
            documents: vec![document],
            ..Known::default()
        }
    }

    #[test]
    fn only_its_owner_can_read_it_and_only_news_is_written() {
        let town = tempfile::tempdir().unwrap();
        let data_dir = town.path().join("data");
        let mut kept = Kept::new(&data_dir, "example", "one");
        assert_eq!(kept.read(), Known::default());
        kept.write(known("city"));
        assert_eq!(kept.read(), known("city"));
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&data_dir), 0o700);
        assert_eq!(mode(&data_dir.join("cache")), 0o700);
        assert_eq!(mode(&data_dir.join("cache/example.json")), 0o600);

        // Another instance has its say; this one has nothing new to add.
        Kept::new(&data_dir, "example", "two").write(known("example"));
        kept.write(known("city"));
        assert_eq!(kept.read(), known("example"));
        let left = std::fs::read_dir(data_dir.join("cache")).unwrap().count();
        assert_eq!(left, 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_that_cannot_be_used_is_as_none() {
        let town = tempfile::tempdir().unwrap();
        std::fs::create_dir(town.path().join("cache")).unwrap();
        let path = town.path().join("cache/example.json");
        for text in ["", "{\"documents\": 1}", "\u{0}\u{0}"] {
            std::fs::write(&path, text).unwrap();
            let mut kept = Kept::new(town.path(), "example", "one");
            assert_eq!(kept.read(), Known::default());
            kept.write(known("city"));
            assert_eq!(kept.read(), known("city"));
        }
    }
}
