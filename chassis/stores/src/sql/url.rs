//! From a store URL to a file.

use std::path::{Path, PathBuf};

use super::StoreError;

/// The file that `url` names. A relative path lies in `data_dir`.
pub(super) fn sqlite_file(url: &str, data_dir: &Path) -> Result<PathBuf, StoreError> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(unsupported("it has no scheme"));
    };
    if scheme != "sqlite" {
        // The rest of a URL may hold a password: only the scheme is repeated.
        return Err(unsupported(&format!("unknown scheme {scheme:?}")));
    }
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() {
        return Err(unsupported("it names no file"));
    }
    if path == ":memory:" {
        // Each connection would have a database of its own.
        return Err(unsupported("a store in memory is not shared"));
    }
    if path.contains(['?', '#']) {
        return Err(unsupported("it has parameters"));
    }
    Ok(data_dir.join(path))
}

fn unsupported(why: &str) -> StoreError {
    StoreError::Url(format!(
        "{why}; supported is sqlite:<file>, a relative file lies in the data directory"
    ))
}

/// The URL by which sqlx opens `file`: every byte with a meaning in a URL is escaped.
pub(super) fn of_file(file: &Path) -> Result<String, StoreError> {
    let Some(path) = file.to_str() else {
        return Err(unsupported("the path is not UTF-8"));
    };
    let mut url = String::from("sqlite://");
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                url.push(char::from(byte));
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::{of_file, sqlite_file};
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
            assert_eq!(sqlite_file(url, data).unwrap(), PathBuf::from(file));
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
            let message = sqlite_file(url, Path::new("/")).unwrap_err().to_string();
            assert!(message.contains("supported is sqlite:<file>"), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_path_keeps_its_odd_characters() {
        let url = of_file(Path::new("/a b/50%/가.db")).unwrap();
        assert_eq!(url, "sqlite:///a%20b/50%25/%EA%B0%80.db");
    }
}
