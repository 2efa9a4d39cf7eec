//! Whether a document would do what its writer means. Services ignore keys that they do not know,
//! so that versions can differ; a person's typing mistake should not be ignored with them.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use app::settings::{CITY, Key, KeyError, Mode, Section};
use app::{Common, Service};
use serde_json::Value;

use crate::services::SERVICES;

/// Refuses keys that are unknown or read at start only, and values that do not fit. Documents of
/// other names are nobody's settings, and anything goes.
pub(super) fn check(name: &str, document: &Value) -> Result<()> {
    if name == CITY {
        return check_all(name, document, &mut [&mut Common::default()]);
    }
    match SERVICES.iter().find(|entry| entry.name == name) {
        Some(entry) => (entry.check)(document),
        None => Ok(()),
    }
}

/// [`check`] for one service.
pub(crate) fn check_service<S: Service>(document: &Value) -> Result<()> {
    let (mut common, mut own) = (Common::default(), S::Settings::default());
    check_all(S::NAME, document, &mut [&mut own, &mut common])
}

/// A [`Section`] whose type is forgotten.
trait Keys {
    fn keys(&self) -> &'static [Key];
    fn put(&mut self, key: &str, value: &Value) -> Result<(), KeyError>;
    fn together(&self) -> Result<(), String>;
}

impl<T: Section> Keys for T {
    fn keys(&self) -> &'static [Key] {
        T::KEYS
    }

    fn put(&mut self, key: &str, value: &Value) -> Result<(), KeyError> {
        self.set(key, value.clone())
    }

    fn together(&self) -> Result<(), String> {
        self.validate()
    }
}

fn check_all(name: &str, document: &Value, sections: &mut [&mut dyn Keys]) -> Result<()> {
    let Some(fields) = document.as_object() else {
        bail!("settings of `{name}` are a JSON object");
    };
    for (key, value) in fields {
        let known = |section: &&mut &mut dyn Keys| section.keys().iter().any(|k| k.name == key);
        let Some(section) = sections.iter_mut().find(known) else {
            bail!(
                "`{name}` has no setting `{key}`; live ones are: {}",
                live(sections)
            );
        };
        if section
            .keys()
            .iter()
            .any(|k| k.name == key && k.mode != Mode::Live)
        {
            bail!(
                "`{key}` is read when {name} starts; set it in citywatch.toml or the environment \
                 (`citywatch settings {name}`)"
            );
        }
        if let Err(error) = section.put(key, value) {
            bail!("`{key}` of {name}: {error}");
        }
    }
    for section in sections {
        if let Err(message) = section.together() {
            bail!("settings of {name}: {message}");
        }
    }
    Ok(())
}

fn live(sections: &[&mut dyn Keys]) -> String {
    let keys = sections.iter().flat_map(|section| section.keys());
    let live = keys.filter(|key| key.mode == Mode::Live);
    let names: BTreeSet<_> = live.map(|key| key.name).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_would_be_ignored_or_refused_is_said_before_it_is_written() {
        for (name, document, complaint) in [
            (
                "gateway",
                json!({"rate": 1}),
                "no setting `rate`; live ones are: access_log",
            ),
            ("gateway", json!({"workers": 1}), "read when gateway starts"),
            (
                "gateway",
                json!({"access_log": "perhaps"}),
                "`access_log` of gateway",
            ),
            (
                "city",
                json!({"access_log": true}),
                "no setting `access_log`",
            ),
            ("city", json!([]), "a JSON object"),
        ] {
            let error = check(name, &document).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
        check("gateway", &json!({"access_log": true, "log": "debug"})).unwrap();
        check("city", &json!({"log": "debug"})).unwrap();
        check("notes", &json!({"anything": "goes"})).unwrap();
    }
}
