//! Whether everybody's needs are promised by somebody.

use std::io;
use std::path::Path;

use super::{SchemaError, breaches, read};

/// Needs that no promise satisfies, a sentence each. `services` is the folder that holds the
/// folders of all services, each with its `events`.
///
/// # Errors
/// A folder or a file cannot be read.
pub fn unsatisfied(services: &Path) -> Result<Vec<String>, SchemaError> {
    let mut complaints = Vec::new();
    for consumer in names(services)? {
        let folder = services.join(&consumer).join("events/needs");
        for file in names(&folder)? {
            let path = folder.join(&file);
            let mut complain =
                |what: String| complaints.push(format!("{consumer}: {file}: {what}"));
            let Some((producer, name)) = file.split_once('.') else {
                complain("is not named by a type of an event".to_owned());
                continue;
            };
            let promise = services.join(producer).join("events").join(name);
            match (read(&promise)?, read(&path)?) {
                (Some(promise), Some(need)) => {
                    for breach in breaches(&promise, &need) {
                        complain(breach);
                    }
                }
                _ => complain(format!("{producer} promises no such event")),
            }
        }
    }
    Ok(complaints)
}

/// What a folder holds, sorted; nothing if it is not there.
fn names(folder: &Path) -> Result<Vec<String>, SchemaError> {
    let listed = || match std::fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let mut names = listed().map_err(|source| SchemaError::File {
        path: folder.to_owned(),
        source,
    })?;
    names.sort();
    Ok(names)
}
