//! What events look like, in files that are checked in.
//!
//! A producer checks in what it promises, `events/<Name>.v<version>.json`; a consumer what it
//! needs, `events/needs/<type>.json`, in the folder of each. Both are JSON Schema, generated from
//! the struct that is written or read. A promise is kept: its successor may say more, never less
//! or anything else, as events that were written and readers that were built by it are still
//! there. What cannot be a successor is another version.
//!
//! ```no_run
//! # mod wire {
//! # #[derive(serde::Serialize, utoipa::ToSchema)]
//! # pub struct OrderConfirmed { order_id: String }
//! # impl events::Body for OrderConfirmed { const TYPE: &'static str = "orders.OrderConfirmed.v1"; }
//! # }
//! # use wire::OrderConfirmed;
//! #[test]
//! fn what_is_published_is_what_was_promised() {
//!     events::schema::promised::<OrderConfirmed>(env!("CARGO_MANIFEST_DIR")).unwrap();
//! }
//! ```
//! With `UPDATE_EVENTS=1` in the environment the files are written anew, where that breaks no
//! promise.

mod city;
mod successor;
#[cfg(test)]
mod tests;

pub use city::unsatisfied;
pub use successor::breaches;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::Body;

/// Why a schema and its file do not go together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The file says something else, which a new file could say.
    #[error("{path} is out of date: run the test with UPDATE_EVENTS=1 and commit it", path = .0.display())]
    Outdated(PathBuf),
    /// Readers of what was promised would stumble.
    #[error("{path} is a promise that would be broken; make another version instead: {}", .breaches.join("; "), path = .path.display())]
    Broken {
        /// The promise.
        path: PathBuf,
        /// What is wrong, each.
        breaches: Vec<String>,
    },
    /// A type is not `<service>.<Name>.v<version>`.
    #[error("`{0}` is not a type of an event")]
    Type(String),
    /// A file cannot be read or written.
    #[error("{path} cannot be read or written", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not JSON.
    #[error("{path} is not JSON", path = .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// Compares what a producer publishes with what it has promised, in the folder `manifest_dir`.
///
/// # Errors
/// They differ; with `UPDATE_EVENTS=1` only if the promise would be broken.
pub fn promised<B: Body + ToSchema>(manifest_dir: &str) -> Result<(), SchemaError> {
    let (_, name) = B::TYPE
        .split_once('.')
        .ok_or_else(|| SchemaError::Type(B::TYPE.to_owned()))?;
    let path = Path::new(manifest_dir).join(format!("events/{name}.json"));
    let now = of::<B>(B::TYPE);
    if let Some(before) = read(&path)? {
        let breaches = breaches(&now, &before);
        if !breaches.is_empty() {
            return Err(SchemaError::Broken { path, breaches });
        }
    }
    keep(path, &now)
}

/// Compares what a consumer reads of the events of a type, a `T`, with the need that it has
/// checked in, in the folder `manifest_dir`.
///
/// # Errors
/// They differ, and are not to be written anew.
pub fn needed<T: ToSchema>(manifest_dir: &str, kind: &str) -> Result<(), SchemaError> {
    if kind.split('.').count() != 3 {
        return Err(SchemaError::Type(kind.to_owned()));
    }
    let path = Path::new(manifest_dir).join(format!("events/needs/{kind}.json"));
    keep(path, &of::<T>(kind))
}

/// The JSON Schema of a type, complete in itself.
#[must_use]
pub fn of<T: ToSchema>(title: &str) -> Value {
    let mut parts = Vec::new();
    T::schemas(&mut parts);
    let parts: Map<String, Value> = parts
        .into_iter()
        .map(|(name, part)| (name, local(serde_json::to_value(part).unwrap_or_default())))
        .collect();
    let mut schema = Map::new();
    schema.insert(
        "$schema".to_owned(),
        "https://json-schema.org/draft/2020-12/schema".into(),
    );
    schema.insert("title".to_owned(), title.into());
    let own = local(serde_json::to_value(T::schema()).unwrap_or_default());
    if let Value::Object(own) = own {
        schema.extend(own);
    }
    if !parts.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(parts));
    }
    Value::Object(schema)
}

/// The same with its parts where JSON Schema looks for them.
fn local(schema: Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(key, value)| {
                let value = match (&*key, value.as_str()) {
                    ("$ref", Some(to)) => to.replace("#/components/schemas/", "#/$defs/").into(),
                    _ => local(value),
                };
                (key, value)
            });
            Value::Object(fields.collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(local).collect()),
        other => other,
    }
}

fn keep(path: PathBuf, now: &Value) -> Result<(), SchemaError> {
    if read(&path)?.as_ref() == Some(now) {
        return Ok(());
    }
    if std::env::var_os("UPDATE_EVENTS").is_none() {
        return Err(SchemaError::Outdated(path));
    }
    let write = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, format!("{now:#}\n"))
    };
    write().map_err(|source| SchemaError::File {
        path: path.clone(),
        source,
    })
}

/// What the file holds, if it is there.
fn read(path: &Path) -> Result<Option<Value>, SchemaError> {
    let path = path.to_owned();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(SchemaError::File { path, source }),
    };
    let json = serde_json::from_slice(&text);
    json.map(Some)
        .map_err(|source| SchemaError::Json { path, source })
}
