use std::path::PathBuf;
use std::str::FromStr;

use crate::{Error, Moods};

/// What the bank is told at start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address to listen on (`ACQUIRER_LISTEN`).
    pub listen: String,
    /// File of the book (`ACQUIRER_BOOK`).
    pub book: PathBuf,
    /// Who knows it may change the settings (`ACQUIRER_TOKEN`, or the file that
    /// `ACQUIRER_TOKEN_FILE` names). Empty: nobody may.
    pub token: String,
    /// How it behaves at first (`ACQUIRER_DELAY_MS` and so on).
    pub moods: Moods,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            book: PathBuf::from(".citywatch/acquirer.jsonl"),
            token: String::new(),
            moods: Moods::default(),
        }
    }
}

impl Options {
    /// Reads them through `variable`, which is [`std::env::var`] but for tests.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        fn number<T>(name: &str, value: Option<String>) -> Result<T, Error>
        where
            T: FromStr + Default,
        {
            let Some(value) = value else {
                return Ok(T::default());
            };
            value.trim().parse().map_err(|_| Error::Variable {
                name: name.to_owned(),
                why: format!("`{value}` is not such a number"),
            })
        }
        let whole = |name: &str| number::<u64>(name, variable(name));
        let part = |name: &str| number::<f64>(name, variable(name));
        let moods = Moods {
            delay_ms: whole("ACQUIRER_DELAY_MS")?,
            jitter_ms: whole("ACQUIRER_JITTER_MS")?,
            fail_before: part("ACQUIRER_FAIL_BEFORE")?,
            fail_after: part("ACQUIRER_FAIL_AFTER")?,
            hang_before: part("ACQUIRER_HANG_BEFORE")?,
            hang_after: part("ACQUIRER_HANG_AFTER")?,
            decline: part("ACQUIRER_DECLINE")?,
        };
        let usual = Self::default();
        Ok(Self {
            listen: variable("ACQUIRER_LISTEN").unwrap_or(usual.listen),
            book: variable("ACQUIRER_BOOK").map_or(usual.book, PathBuf::from),
            token: match variable("ACQUIRER_TOKEN_FILE") {
                Some(path) => token_in(&path)?,
                None => variable("ACQUIRER_TOKEN").unwrap_or(usual.token),
            },
            moods: moods.validated().map_err(|error| Error::Variable {
                name: "ACQUIRER_*".to_owned(),
                why: error.to_string(),
            })?,
        })
    }
}

fn token_in(path: &str) -> Result<String, Error> {
    let token = std::fs::read_to_string(path).map_err(|error| Error::Variable {
        name: "ACQUIRER_TOKEN_FILE".to_owned(),
        why: format!("{path}: {error}"),
    })?;
    Ok(token.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_how_the_bank_behaves() {
        let set = |name: &str| match name {
            "ACQUIRER_DELAY_MS" => Some("200".to_owned()),
            "ACQUIRER_FAIL_AFTER" => Some("0.25".to_owned()),
            "ACQUIRER_BOOK" => Some("/tmp/book.jsonl".to_owned()),
            _ => None,
        };
        let options = Options::read(set).unwrap();
        assert_eq!(options.moods.delay_ms, 200);
        assert!((options.moods.fail_after - 0.25).abs() < 1e-9);
        assert_eq!(options.book, PathBuf::from("/tmp/book.jsonl"));
        assert_eq!(options.listen, "127.0.0.1:0");
        for (name, value) in [("ACQUIRER_DECLINE", "2"), ("ACQUIRER_DELAY_MS", "soon")] {
            let set = |asked: &str| (asked == name).then(|| value.to_owned());
            assert!(Options::read(set).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn the_token_can_be_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let set = |name: &str| match name {
            "ACQUIRER_TOKEN_FILE" => Some(path.display().to_string()),
            _ => None,
        };
        let error = Options::read(set).unwrap_err().to_string();
        assert!(error.contains("ACQUIRER_TOKEN_FILE"), "{error}");
        std::fs::write(&path, "of the bank\n").unwrap();
        assert_eq!(Options::read(set).unwrap().token, "of the bank");
    }
}
