//! The one table of services: what `serve`, `up`, `settings` and `doctor` know of each.

use std::path::Path;

use anyhow::{Context, Result, bail};
use app::settings::{CITY, Key, Section, SettingsError, Sources};
use app::{Common, Options, ServeError, Service};
use serde_json::Value;

use crate::config::check_service;
use crate::up::stack;

/// Where a service stands in the order of starting and stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// What the others need: first up, last down.
    Ground,
    /// Found through the registry.
    Inner,
    /// Where clients come in: first down.
    Edge,
}

/// One service, as this binary knows it.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) stage: Stage,
    /// False where a second process would have to share an address or a truth with the first.
    pub(crate) replicable: bool,
    /// Keys of further listeners, beside `listen`, that others must know before it starts.
    pub(crate) further_listeners: &'static [&'static str],
    /// Where it listens when nothing is set.
    pub(crate) default_listen: &'static str,
    pub(crate) run: fn(&Options) -> Result<(), ServeError>,
    /// Whether a document would do what its writer means.
    pub(crate) check: fn(&Value) -> Result<()>,
    read: fn(&Sources) -> Result<Vec<Setting>, SettingsError>,
}

/// One setting of one service: what it may be, and what it is here.
pub(crate) struct Setting {
    pub(crate) key: Key,
    /// Every service has it.
    pub(crate) shared: bool,
    pub(crate) default: Value,
    pub(crate) value: Value,
}

impl Entry {
    /// Every setting with its value from file and environment; secrets are masked.
    pub(crate) fn settings(&self, sources: &Sources) -> Result<Vec<Setting>, SettingsError> {
        (self.read)(sources)
    }

    /// The variable that sets `key` of this service.
    pub(crate) fn variable(&self, key: &str) -> String {
        variable(self.name, key)
    }
}

/// `CITYWATCH_ORDERS__STORE_URL`.
pub(crate) fn variable(section: &str, key: &str) -> String {
    format!(
        "CITYWATCH_{}__{}",
        section.to_uppercase(),
        key.to_uppercase()
    )
}

/// Every service of the city, in the order in which they start.
pub(crate) const SERVICES: &[Entry] = &[
    Entry {
        stage: Stage::Ground,
        replicable: false,
        ..entry::<registry::Registry>("who is where, and the configuration in force")
    },
    Entry {
        stage: Stage::Ground,
        replicable: false,
        further_listeners: &["otlp_grpc_listen", "otlp_http_listen"],
        ..entry::<observatory::Observatory>("takes traces in and shows them")
    },
    entry::<users::Users>("members, sessions, signing keys"),
    entry::<catalog::Catalog>("products and their search"),
    entry::<inventory::Inventory>("stock and reservations"),
    Entry {
        replicable: false,
        ..entry::<cart::Cart>("what members put aside to buy")
    },
    entry::<payments::Payments>("charges and refunds"),
    entry::<orders::Orders>("orders, from the first step to the last"),
    entry::<shipping::Shipping>("parcels, from a confirmed order to the door"),
    entry::<board::Board>("what members write to each other"),
    entry::<notifications::Notifications>("what members are told"),
    entry::<recommendations::Recommendations>("what others bought and looked at too"),
    Entry {
        stage: Stage::Edge,
        replicable: false,
        ..entry::<gateway::Gateway>("the one door for clients")
    },
];

const fn entry<S: Service>(about: &'static str) -> Entry {
    Entry {
        name: S::NAME,
        about,
        stage: Stage::Inner,
        replicable: true,
        further_listeners: &[],
        default_listen: S::LISTEN,
        run: app::run::<S>,
        check: check_service::<S>,
        read: read::<S>,
    }
}

fn read<S: Service>(sources: &Sources) -> Result<Vec<Setting>, SettingsError> {
    let (common, own) = sources.read::<S::Settings>(S::NAME)?;
    let mut settings = list(true, &common, &Common::default());
    settings.extend(list(false, &own, &S::Settings::default()));
    Ok(settings)
}

/// Every setting of a section: values as they are, and as they are when nothing is set.
pub(crate) fn list<T: Section>(shared: bool, values: &T, defaults: &T) -> Vec<Setting> {
    T::KEYS
        .iter()
        .map(|key| Setting {
            key: *key,
            shared,
            default: defaults.get(key.name),
            value: values.get(key.name),
        })
        .collect()
}

/// The service of that name.
pub(crate) fn find(name: &str) -> Result<&'static Entry> {
    if let Some(entry) = SERVICES.iter().find(|entry| entry.name == name) {
        return Ok(entry);
    }
    let known: Vec<&str> = SERVICES.iter().map(|entry| entry.name).collect();
    bail!(
        "there is no service `{name}`; there are: {}",
        known.join(", ")
    )
}

/// Settings as `up` and its children will read them.
pub(crate) fn sources(config: Option<&Path>) -> Result<Sources> {
    let sources = Sources::open(config)?;
    // A service reads its own table and `city`; only here is every name known.
    for table in sources.tables() {
        if table != CITY && table != stack::SECTION {
            find(table).with_context(|| format!("[{table}] of the settings file"))?;
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_come_in_order_and_names_are_unique() {
        assert!(SERVICES.is_sorted_by_key(|entry| entry.stage));
        let mut names: Vec<_> = SERVICES.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SERVICES.len());
    }

    #[test]
    fn every_setting_is_documented_and_every_named_listener_is_a_setting() {
        for entry in SERVICES {
            let settings = entry.settings(&Sources::default()).unwrap();
            for setting in &settings {
                let documented = setting.key.doc.iter().any(|line| !line.trim().is_empty());
                assert!(
                    documented,
                    "{} of {} has no doc",
                    setting.key.name, entry.name
                );
            }
            for listener in entry.further_listeners {
                let known = settings.iter().any(|setting| setting.key.name == *listener);
                assert!(known, "{listener} of {}", entry.name);
            }
        }
    }

    #[test]
    fn a_table_of_the_settings_file_belongs_to_somebody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("citywatch.toml");
        std::fs::write(&path, "[city]\nlog = 'info'\n[catalog]\npage_size = 9\n").unwrap();
        sources(Some(&path)).unwrap();
        std::fs::write(&path, "[catalogue]\npage_size = 9\n").unwrap();
        let error = format!("{:#}", sources(Some(&path)).unwrap_err());
        assert!(
            error.contains("[catalogue]") && error.contains("catalog,"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_service_is_answered_with_the_known_ones() {
        let error = find("orderz").err().unwrap().to_string();
        assert!(
            error.contains("registry") && error.contains("catalog"),
            "{error}"
        );
    }
}
