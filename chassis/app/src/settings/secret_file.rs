//! Secrets from files, as containers and init systems hand them out: a secret `operator_token` may
//! be given as `operator_token_file`, the name of a file that holds it. A variable of the
//! environment is seen by whoever may inspect the container, a file by whoever may read it.

use std::path::Path;

use serde_json::Value;

use super::{Key, Mode};

const SUFFIX: &str = "_file";

/// The secret that `key` names a file of.
pub(super) fn secret_of<'a>(
    mut keys: impl Iterator<Item = &'a Key>,
    key: &str,
) -> Option<&'static str> {
    let secret = key.strip_suffix(SUFFIX)?;
    keys.find(|known| known.mode == Mode::Secret && known.name == secret)
        .map(|known| known.name)
}

/// What the file holds, without the line end that editors leave.
pub(super) fn read(path: &Value) -> Result<Value, String> {
    let path = path.as_str().ok_or("not the name of a file")?;
    let secret = std::fs::read_to_string(Path::new(path))
        .map_err(|error| format!("cannot read {path}: {error}"))?;
    match secret.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("{path} is empty")),
        secret => Ok(Value::String(secret.to_owned())),
    }
}
