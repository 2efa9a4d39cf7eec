//! The city as other commands find it: `city.json` in the data folder, kept current by `up`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::data_dir::{DataDir, write_private};
use crate::up::board::{Process, Processes};

/// Addresses by what answers there, and every process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct CityState {
    /// The `up` that runs it.
    pub(crate) pid: u32,
    /// `gateway`, `registry`, `observatory`, `otlp_grpc`, `otlp_http`: base URLs.
    pub(crate) addresses: BTreeMap<String, String>,
    /// Processes by name (`catalog-2`).
    pub(crate) processes: BTreeMap<String, Process>,
}

impl CityState {
    pub(crate) fn new(addresses: BTreeMap<String, String>, processes: Processes) -> Self {
        Self {
            pid: std::process::id(),
            addresses,
            processes,
        }
    }

    pub(crate) fn write(&self, data: &DataDir) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).context("write the city's state")?;
        write_private(&data.state(), &text)
    }

    /// What was written last, if an `up` runs in that folder now.
    pub(crate) fn read_running(data: &DataDir) -> Result<Option<Self>> {
        if !data.in_use() {
            return Ok(None);
        }
        let path = data.state();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .with_context(|| format!("read {}", path.display()))
    }
}

/// Where a part of the running city answers; `fallback` when none runs in that folder.
pub(crate) fn address(data: &DataDir, part: &str, fallback: &str) -> Result<String> {
    let state = CityState::read_running(data)?;
    let known = state.and_then(|state| state.addresses.get(part).cloned());
    Ok(known.unwrap_or_else(|| fallback.to_owned()))
}
