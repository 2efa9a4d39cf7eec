//! How sqlx is told of a file.

use std::path::Path;

use super::StoreError;

/// The URL by which sqlx opens `file`: every byte with a meaning in a URL is escaped.
pub(super) fn of_file(file: &Path) -> Result<String, StoreError> {
    let Some(path) = file.to_str() else {
        return Err(StoreError::Url("the path is not UTF-8".to_owned()));
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
    use super::of_file;
    use std::path::Path;

    #[test]
    fn a_path_keeps_its_odd_characters() {
        let url = of_file(Path::new("/a b/50%/가.db")).unwrap();
        assert_eq!(url, "sqlite:///a%20b/50%25/%EA%B0%80.db");
    }
}
