//! compose.yml: what can be said of it without an engine that runs containers. It is judged by its
//! specification and by rules of ours, its addresses are compared with those of the files that it
//! mounts, and its services are run as it would run them, as processes.

mod addresses;
mod image;
mod rules;
mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};

const CITYWATCH: &str = env!("CARGO_BIN_EXE_citywatch");
/// The bank is in no table of services.
const ACQUIRER: &str = "acquirer";

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn yaml(file: &str) -> Value {
    let text = fs::read_to_string(root().join(file)).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

struct Compose(Value);

impl Compose {
    fn read() -> Self {
        Self(yaml("compose.yml"))
    }

    fn services(&self) -> &Map<String, Value> {
        self.0["services"].as_object().unwrap()
    }

    /// Those of the city, which all run from its image.
    fn city(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.services()
            .iter()
            .filter(|(_, service)| service["command"][0] == "serve")
    }

    /// Variables of a service.
    fn environment(&self, service: &str) -> BTreeMap<String, String> {
        let variables = self.services()[service]["environment"].as_object();
        variables
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let value = value.as_str();
                // What is no string in YAML is another in a variable: `yes`, 0o17, 1e3.
                let value = value.unwrap_or_else(|| panic!("{service}: {name} is not quoted"));
                (name.clone(), value.to_owned())
            })
            .collect()
    }
}

/// Strings of a list; none if there is no list.
fn strings(list: &Value) -> Vec<&str> {
    let list = list.as_array().into_iter().flatten();
    list.map(|item| item.as_str().unwrap()).collect()
}

/// The binary, told of nothing that this process was told.
fn citywatch(arguments: &[&str]) -> Command {
    let mut command = Command::new(CITYWATCH);
    command.args(arguments).env_clear();
    command
}

/// Keys as the container `keys` makes them.
fn make_keys(folder: &Path) -> PathBuf {
    let keys = folder.join("keys");
    let compose = Compose::read();
    let command = strings(&compose.services()["keys"]["command"]);
    let arguments = command.into_iter().map(|argument| match argument {
        "/keys" => keys.to_str().unwrap(),
        other => other,
    });
    let made = citywatch(&arguments.collect::<Vec<_>>()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    keys
}
