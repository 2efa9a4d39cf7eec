//! Stores that are files: from a URL to a file that its owner alone can read.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file that `url` names by `scheme`. A relative path lies in `data_dir`.
///
/// # Errors
/// What is wrong with the URL, for people. Its rest may hold a password: only the scheme is
/// repeated.
pub(crate) fn named_by(url: &str, scheme: &str, data_dir: &Path) -> Result<PathBuf, String> {
    let unsupported = |why: &str| {
        Err(format!(
            "{why}; supported is {scheme}:<file>, a relative file lies in the data directory"
        ))
    };
    let Some((given, rest)) = url.split_once(':') else {
        return unsupported("it has no scheme");
    };
    if given != scheme {
        return unsupported(&format!("unknown scheme {given:?}"));
    }
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() {
        return unsupported("it names no file");
    }
    if path == ":memory:" {
        // Each connection would have a database of its own.
        return unsupported("a store in memory is not shared");
    }
    if path.contains(['?', '#']) {
        return unsupported("it has parameters");
    }
    Ok(data_dir.join(path))
}

/// Makes the file before its engine does, which would let others read it.
pub(crate) fn prepare(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file)
        .map(drop)
}

/// The store's name in telemetry.
pub(crate) fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::named_by;
    use std::path::{Path, PathBuf};

    #[test]
    fn relative_files_lie_in_the_data_directory() {
        let data = Path::new("/data/city");
        for (url, file) in [
            ("sqlite:catalog.db", "/data/city/catalog.db"),
            ("sqlite://catalog.db", "/data/city/catalog.db"),
            ("sqlite:/srv/catalog.db", "/srv/catalog.db"),
            ("sqlite:///srv/catalog.db", "/srv/catalog.db"),
        ] {
            let named = named_by(url, "sqlite", data).unwrap();
            assert_eq!(named, PathBuf::from(file));
        }
    }

    #[test]
    fn other_engines_are_refused_without_their_password() {
        for url in [
            "postgres://me:hunter2@db/catalog",
            "catalog.db",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:a.db?mode=ro",
        ] {
            let message = named_by(url, "sqlite", Path::new("/")).unwrap_err();
            assert!(message.contains("supported is sqlite:<file>"), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
