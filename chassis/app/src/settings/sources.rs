use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{Common, Key, KeyError, Mode, Section, secret_file};

/// Section, and document, that speaks to every service.
pub const CITY: &str = "city";

/// Why the settings cannot be used. Each message names the source, the key and what is wrong.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read settings file {path}: {source}", path = path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("settings file {path} is not valid TOML: {message}", path = path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        message: String,
    },
    /// A key is not known.
    #[error("{origin}: unknown key `{key}`; known keys: {known}")]
    Unknown {
        /// File and table, or environment variable.
        origin: String,
        /// The key.
        key: String,
        /// Every key that would be right.
        known: String,
    },
    /// A value does not fit.
    #[error("{origin}: `{key}`: {message}")]
    Value {
        /// File and table, or environment variable.
        origin: String,
        /// The key.
        key: String,
        /// What is wrong with it.
        message: String,
    },
    /// A document is something else than keys with values.
    #[error("a document of settings must be a JSON object")]
    NoObject,
    /// The values do not go together.
    #[error("settings of {service}: {message}")]
    Invalid {
        /// Whose settings.
        service: String,
        /// What is wrong with them.
        message: String,
    },
}

/// A file and an environment, from which a service's settings are read.
#[derive(Debug, Default)]
pub struct Sources {
    file: Option<(PathBuf, Map<String, Value>)>,
    environment: BTreeMap<String, String>,
}

impl Sources {
    /// The given file, or `citywatch.toml` in the working folder if it is there, and the
    /// environment of this process.
    ///
    /// # Errors
    /// The file was asked for and cannot be read, or is not TOML.
    pub fn open(file: Option<&Path>) -> Result<Self, SettingsError> {
        let default = Path::new("citywatch.toml");
        let path = file.or_else(|| default.exists().then_some(default));
        let file = path.map(read_file).transpose()?;
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("CITYWATCH_"))
            .collect();
        Ok(Self { file, environment })
    }

    /// No file; the given variables as environment. For tests.
    pub fn from_environment(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            file: None,
            environment: variables.into_iter().collect(),
        }
    }

    /// Names of the tables in the file.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.file
            .iter()
            .flat_map(|(_, tables)| tables.keys())
            .map(String::as_str)
    }

    /// Reads the common settings and those of one service.
    ///
    /// # Errors
    /// A key is unknown, a value does not fit its type, or the values do not go together.
    pub fn read<S: Section>(&self, service: &str) -> Result<(Common, S), SettingsError> {
        let mut common = Common::default();
        let mut own = S::default();
        for section in [CITY, service] {
            if let Some((path, tables)) = &self.file
                && let Some(table) = tables.get(section).and_then(Value::as_object)
            {
                let origin = format!("{} [{section}]", path.display());
                put_all(&mut common, &mut own, section, &|_| origin.clone(), table)?;
            }
        }
        for section in [CITY, service] {
            let prefix = format!("CITYWATCH_{}__", section.to_uppercase());
            let variables = self.environment.iter().filter_map(|(name, value)| {
                let key = name.strip_prefix(&prefix)?.to_lowercase();
                Some((key, Value::String(value.clone())))
            });
            let values: Map<_, _> = variables.collect();
            let variable = |key: &str| format!("{prefix}{}", key.to_uppercase());
            put_all(&mut common, &mut own, section, &variable, &values)?;
        }
        common
            .validate()
            .and_then(|()| own.validate())
            .map_err(|message| SettingsError::Invalid {
                service: service.to_owned(),
                message,
            })?;
        Ok((common, own))
    }
}

fn read_file(path: &Path) -> Result<(PathBuf, Map<String, Value>), SettingsError> {
    let text = std::fs::read_to_string(path).map_err(|source| SettingsError::Read {
        path: path.to_owned(),
        source,
    })?;
    let tables = toml::from_str(&text).map_err(|error| SettingsError::Syntax {
        path: path.to_owned(),
        message: error.to_string(),
    })?;
    Ok((path.to_owned(), tables))
}

/// Puts what one source says of one section; secrets are fetched from the files that it names.
fn put_all<S: Section>(
    common: &mut Common,
    own: &mut S,
    section: &str,
    origin: &dyn Fn(&str) -> String,
    values: &Map<String, Value>,
) -> Result<(), SettingsError> {
    for (key, value) in values {
        let origin = origin(key);
        let wrong = |message| SettingsError::Value {
            origin: origin.clone(),
            key: key.clone(),
            message,
        };
        let Some(secret) = secret_file::secret_of(keys::<S>(section), key) else {
            put(common, own, section, &origin, key, value.clone())?;
            continue;
        };
        if values.contains_key(secret) {
            return Err(wrong(format!(
                "`{secret}` is set too, and only one can count"
            )));
        }
        let value = secret_file::read(value).map_err(wrong)?;
        put(common, own, section, &origin, secret, value)?;
    }
    Ok(())
}

/// What may be set in a section.
fn keys<S: Section>(section: &str) -> impl Iterator<Item = &'static Key> {
    let own_keys = if section == CITY { &[][..] } else { S::KEYS };
    Common::KEYS.iter().chain(own_keys)
}

fn put<S: Section>(
    common: &mut Common,
    own: &mut S,
    section: &str,
    origin: &str,
    key: &str,
    value: Value,
) -> Result<(), SettingsError> {
    let mut outcome = common.set(key, value.clone());
    if outcome == Err(KeyError::Unknown) && section != CITY {
        outcome = own.set(key, value);
    }
    outcome.map_err(|error| match error {
        KeyError::Unknown => {
            let known: Vec<_> = keys::<S>(section).map(|key| key.name).collect();
            SettingsError::Unknown {
                origin: origin.to_owned(),
                key: key.to_owned(),
                known: known.join(", "),
            }
        }
        KeyError::Value(message) => SettingsError::Value {
            origin: origin.to_owned(),
            key: key.to_owned(),
            message,
        },
    })
}

/// Applies the live keys of a document; returns how many keys were not known or not live.
pub(crate) fn apply_document<S: Section>(
    common: &mut Common,
    own: &mut S,
    document: &Value,
) -> Result<usize, SettingsError> {
    let mut ignored = 0;
    let Some(keys) = document.as_object() else {
        return Err(SettingsError::NoObject);
    };
    for (key, value) in keys {
        let outcome = if is_live::<Common>(key) {
            common.set(key, value.clone())
        } else if is_live::<S>(key) {
            own.set(key, value.clone())
        } else {
            Err(KeyError::Unknown)
        };
        match outcome {
            Ok(()) => {}
            Err(KeyError::Unknown) => ignored += 1,
            Err(KeyError::Value(message)) => {
                return Err(SettingsError::Value {
                    origin: "document".to_owned(),
                    key: key.clone(),
                    message,
                });
            }
        }
    }
    Ok(ignored)
}

fn is_live<S: Section>(name: &str) -> bool {
    S::KEYS
        .iter()
        .any(|key| key.name == name && key.mode == Mode::Live)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    crate::settings! {
        /// Example.
        struct Example validated by positive {
            /// Longest page.
            live page_limit: u32 = 50,
            /// Rows.
            boot store_url: String = "sqlite:example.db".into(),
        }
    }

    fn positive(settings: &Example) -> Result<(), String> {
        if settings.page_limit == 0 {
            return Err("page_limit must be at least 1".into());
        }
        Ok(())
    }

    fn environment(pairs: &[(&str, &str)]) -> Sources {
        Sources::from_environment(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        )
    }

    #[test]
    fn a_services_own_section_wins_over_the_citys() {
        let sources = environment(&[
            ("CITYWATCH_CITY__LOG", "warn"),
            ("CITYWATCH_EXAMPLE__LOG", "debug"),
            ("CITYWATCH_EXAMPLE__PAGE_LIMIT", "7"),
            ("CITYWATCH_OTHER__NONSENSE", "1"),
        ]);
        let (common, own) = sources.read::<Example>("example").unwrap();
        assert_eq!((common.log.as_str(), own.page_limit), ("debug", 7));
    }

    #[test]
    fn environment_wins_over_file_and_file_over_defaults() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("citywatch.toml");
        std::fs::write(&path, "[city]\nlog = 'warn'\n[example]\npage_limit = 9\n").unwrap();
        let mut sources = Sources::open(Some(&path)).unwrap();
        assert_eq!(sources.read::<Example>("example").unwrap().1.page_limit, 9);
        sources.environment = environment(&[("CITYWATCH_EXAMPLE__PAGE_LIMIT", "8")]).environment;
        let (common, own) = sources.read::<Example>("example").unwrap();
        assert_eq!((common.log.as_str(), own.page_limit), ("warn", 8));
    }

    #[test]
    fn a_secret_is_read_from_the_file_that_is_named_for_it() {
        const FILE: &str = "CITYWATCH_CITY__OPERATOR_TOKEN_FILE";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let named = path.to_str().unwrap();
        let read = |pairs: &[(&str, &str)]| environment(pairs).read::<Example>("example");
        let refused = |pairs: &[(&str, &str)]| read(pairs).unwrap_err().to_string();

        assert!(refused(&[(FILE, named)]).contains(&format!(
            "{FILE}: `operator_token_file`: cannot read {named}"
        )));
        std::fs::write(&path, "\n").unwrap();
        assert!(refused(&[(FILE, named)]).contains("is empty"));
        std::fs::write(&path, "hunter2\n").unwrap();
        let (common, _) = read(&[(FILE, named)]).unwrap();
        assert_eq!(common.operator_token.expose(), "hunter2");

        // Once for all and once for one is a rule and its exception; twice for one is a mistake.
        let own = ("CITYWATCH_EXAMPLE__OPERATOR_TOKEN", "of its own");
        let (common, _) = read(&[(FILE, named), own]).unwrap();
        assert_eq!(common.operator_token.expose(), "of its own");
        let twice = ("CITYWATCH_CITY__OPERATOR_TOKEN", "again");
        assert!(refused(&[(FILE, named), twice]).contains("only one can count"));
        // What is no secret has no such file.
        assert!(refused(&[("CITYWATCH_CITY__LOG_FILE", named)]).contains("unknown key `log_file`"));

        let settings = folder.path().join("citywatch.toml");
        std::fs::write(
            &settings,
            format!("[city]\noperator_token_file = '{named}'\n"),
        )
        .unwrap();
        let mut sources = Sources::open(Some(&settings)).unwrap();
        sources.environment.clear();
        let (common, _) = sources.read::<Example>("example").unwrap();
        assert_eq!(common.operator_token.expose(), "hunter2");
    }

    #[test]
    fn unknown_keys_and_wrong_values_name_source_and_key() {
        for (name, value, expected) in [
            (
                "CITYWATCH_EXAMPLE__PAGE_LIMITS",
                "1",
                "unknown key `page_limits`; known keys: listen",
            ),
            (
                "CITYWATCH_CITY__PAGE_LIMIT",
                "1",
                "unknown key `page_limit`",
            ),
            (
                "CITYWATCH_EXAMPLE__PAGE_LIMIT",
                "many",
                "`page_limit`: invalid type",
            ),
            (
                "CITYWATCH_EXAMPLE__PAGE_LIMIT",
                "0",
                "page_limit must be at least 1",
            ),
        ] {
            let error = environment(&[(name, value)])
                .read::<Example>("example")
                .unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn documents_change_live_keys_only_and_count_the_rest() {
        let (mut common, mut own) = (Common::default(), Example::default());
        let document = json!({"page_limit": 3, "log": "debug", "store_url": "x", "future_key": 1});
        assert_eq!(apply_document(&mut common, &mut own, &document).unwrap(), 2);
        assert_eq!((own.page_limit, common.log.as_str()), (3, "debug"));
        assert_eq!(own.store_url, "sqlite:example.db");
        assert!(apply_document(&mut common, &mut own, &json!({"page_limit": "x"})).is_err());
        assert!(apply_document(&mut common, &mut own, &json!(["page_limit"])).is_err());
    }

    #[test]
    fn secrets_are_never_shown() {
        let (mut common, mut own) = (Common::default(), Example::default());
        put(
            &mut common,
            &mut own,
            CITY,
            "test",
            "operator_token",
            json!("hunter2"),
        )
        .unwrap();
        assert_eq!(common.operator_token.expose(), "hunter2");
        assert!(!format!("{common:?}").contains("hunter2"));
        assert_eq!(common.get("operator_token"), json!("********"));
    }
}
