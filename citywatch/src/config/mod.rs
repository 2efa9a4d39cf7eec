//! The registry's configuration documents, from the command line.

mod check;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use discovery::{Document, Expect, RegistryError};
use serde_json::{Map, Value};

pub(crate) use check::check_service;

use crate::DataArgument;
use crate::registry::client;
use crate::terminal::outln;

/// A document that another changes at the same moment is read again this often.
const ATTEMPTS: usize = 5;

/// Read and change the configuration in force; live settings follow within a second.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// Print as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    data: DataArgument,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Every document and its version
    List,
    /// One document
    Get { name: String },
    /// Change keys of a document, or replace it: a service's name, or `city` for all
    #[command(after_help = "\
    citywatch config set city log=debug
    citywatch config set gateway access_log=false
    citywatch config set catalog '{\"page_limit\": 20}'

A value is JSON if it reads as JSON, else text. `key=` with nothing takes the key out. One JSON \
object instead of keys replaces the whole document. Nobody's change is lost: the write is refused \
and tried again if the document changed in between.")]
    Set {
        name: String,
        /// key=value pairs, or one JSON object
        #[arg(required = true)]
        changes: Vec<String>,
    },
    /// Every version that is kept, newest first
    History { name: String },
}

pub(crate) async fn command(arguments: Arguments) -> Result<ExitCode> {
    let registry = client(&arguments.data.dir()?)?;
    let json = arguments.json;
    match arguments.action {
        Action::List => {
            let documents = registry.list().await.map_err(explain)?;
            if json {
                outln!("{}", serde_json::to_string_pretty(&documents)?);
            } else {
                for document in documents {
                    outln!(
                        "{:<20} version {:<4} {} by {}",
                        document.name,
                        document.version,
                        document.updated_at,
                        document.updated_by
                    );
                }
            }
        }
        Action::Get { name } => {
            let document = registry.get(&name).await.map_err(explain)?;
            let Some(document) = document else {
                bail!(
                    "there is no document `{name}` yet; `citywatch config list` shows what there is"
                )
            };
            show(&document, json)?;
        }
        Action::Set { name, changes } => {
            let change = Change::parse(&changes)?;
            let document = set(&registry, &name, &change).await?;
            if json {
                show(&document, true)?;
            } else {
                outln!("{} is now version {}", document.name, document.version);
            }
        }
        Action::History { name } => {
            let versions = registry.history(&name).await.map_err(explain)?;
            if json {
                outln!("{}", serde_json::to_string_pretty(&versions)?);
            } else {
                for document in versions {
                    outln!(
                        "{:>4}  {}  {:<12} {}",
                        document.version,
                        document.updated_at,
                        document.updated_by,
                        document.value
                    );
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(document: &Document, json: bool) -> Result<()> {
    if json {
        outln!("{}", serde_json::to_string_pretty(document)?);
    } else {
        outln!("# {} version {}", document.name, document.version);
        outln!("{}", serde_json::to_string_pretty(&document.value)?);
    }
    Ok(())
}

async fn set(
    registry: &discovery::RegistryClient,
    name: &str,
    change: &Change,
) -> Result<Document> {
    for _ in 0..ATTEMPTS {
        let current = registry.get(name).await.map_err(explain)?;
        let expect = current
            .as_ref()
            .map_or(Expect::Absent, |document| Expect::Version(document.version));
        let value = change.apply(current.map(|document| document.value));
        check::check(name, &value)?;
        match registry.put(name, &value, expect).await {
            Ok(document) => return Ok(document),
            Err(RegistryError::VersionConflict) => {}
            Err(error) => return Err(explain(error)),
        }
    }
    bail!("`{name}` changed {ATTEMPTS} times while this change was made; try again")
}

fn explain(error: RegistryError) -> anyhow::Error {
    let away = error.is_unreachable();
    let detail = match &error {
        RegistryError::Refused {
            detail: Some(detail),
            ..
        } => format!(": {detail}"),
        _ => String::new(),
    };
    let error = anyhow::Error::new(error);
    if away {
        error.context("is the city up? `citywatch doctor` says")
    } else if detail.is_empty() {
        error
    } else {
        anyhow::anyhow!("{error}{detail}")
    }
}

/// What is to become of a document.
#[derive(Debug, PartialEq)]
enum Change {
    Whole(Value),
    /// None takes the key out.
    Keys(Vec<(String, Option<Value>)>),
}

impl Change {
    fn parse(changes: &[String]) -> Result<Self> {
        if let [whole] = changes
            && whole.trim_start().starts_with('{')
        {
            let value = serde_json::from_str(whole).context("the document is not valid JSON")?;
            return Ok(Self::Whole(value));
        }
        let mut keys = Vec::new();
        for change in changes {
            let Some((key, value)) = change.split_once('=') else {
                bail!("`{change}` is neither key=value nor a JSON object");
            };
            let value = match value {
                "" => None,
                text => Some(
                    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
                ),
            };
            keys.push((key.to_owned(), value));
        }
        Ok(Self::Keys(keys))
    }

    fn apply(&self, current: Option<Value>) -> Value {
        let keys = match self {
            Self::Whole(value) => return value.clone(),
            Self::Keys(keys) => keys,
        };
        let mut fields = match current {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        for (key, value) in keys {
            match value {
                Some(value) => fields.insert(key.clone(), value.clone()),
                None => fields.remove(key),
            };
        }
        Value::Object(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(changes: &[&str]) -> Result<Change> {
        let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
        Change::parse(&changes)
    }

    #[test]
    fn keys_change_alone_and_an_object_replaces_all() {
        let before = json!({"log": "info", "page_limit": 50, "old": 1});
        let change =
            parse(&["log=debug,hyper=warn", "page_limit=20", "flag=true", "old="]).unwrap();
        assert_eq!(
            change.apply(Some(before.clone())),
            json!({"log": "debug,hyper=warn", "page_limit": 20, "flag": true})
        );
        let whole = parse(&[r#"{"page_limit": 1}"#]).unwrap();
        assert_eq!(whole.apply(Some(before)), json!({"page_limit": 1}));
        assert_eq!(
            parse(&["a={\"b\":1}"]).unwrap().apply(None),
            json!({"a": {"b": 1}})
        );
        assert!(parse(&["log"]).is_err());
        assert!(parse(&["{log"]).is_err());
    }
}
