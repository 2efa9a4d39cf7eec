//! Checks of the variables.

use super::Settings;
use crate::fuzzing::lines;
use std::collections::BTreeMap;

const SECRET: &str = "c0ffee";

/// Each line is `NAME=value`. Whatever they hold, telemetry starts or says which variable is
/// wrong, and no secret is in what it says.
pub(crate) fn variables(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    // Names of headers are shown, in lower case.
    if text.to_ascii_lowercase().contains(SECRET) {
        return;
    }
    let pairs = lines(text.as_bytes()).filter_map(|line| std::str::from_utf8(line).ok());
    let mut variables: BTreeMap<&str, String> = pairs
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    read(&variables);
    for (name, value) in &mut variables {
        if name.ends_with("_HEADERS") {
            value.push_str(",authorization=c0ffee");
        } else if name.ends_with("_ENDPOINT") {
            *value = value.replacen("://", "://user:c0ffee@", 1);
        }
    }
    let said = read(&variables);
    assert!(!said.contains(SECRET), "{said}");
}

/// All that is said about it.
fn read(variables: &BTreeMap<&str, String>) -> String {
    match Settings::from_vars(|name| variables.get(name).cloned()) {
        Ok(settings) => {
            for ignored in &settings.ignored {
                assert!(variables.contains_key(ignored.variable.as_str()));
                assert!(!ignored.to_string().is_empty());
            }
            assert!(settings.traces.queue.max_batch_records > 0);
            format!("{settings:?}")
        }
        Err(error) => {
            assert!(error.to_string().contains(&error.variable));
            assert!(!error.expected.is_empty());
            format!("{error} {error:?}")
        }
    }
}
