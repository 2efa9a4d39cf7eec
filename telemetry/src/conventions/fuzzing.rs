//! Checks of what is said about SQL.

use super::database::System;
pub(crate) use super::sql::fuzzing::values;

/// Summaries are short, and neither they nor the text hold a value.
pub(crate) fn sql(input: &[u8]) {
    let Ok(sql) = std::str::from_utf8(input) else {
        return;
    };
    let summary = super::database::summary(sql);
    assert!(summary.chars().count() <= 255);
    for system in [System::POSTGRESQL, System::MYSQL, System::SQLITE] {
        values(sql, system);
    }
}
