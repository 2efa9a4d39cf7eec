//! The tables of one run: on the terminal, and in Markdown beside the method.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::section::{Bar, Section, bars_table};
use crate::{cost, sections};

/// How long the soak of a whole run takes, in seconds.
const SHORT_SOAK: u64 = 5;
const METHOD: &str = include_str!("method.md");

/// Prints one section; whether what is asserted holds.
pub(crate) fn part(section: Result<Section>) -> Result<bool> {
    let section = section?;
    std::io::stdout().write_all(section.terminal().as_bytes())?;
    Ok(section.holds())
}

/// Measures everything, prints it, and writes it down.
pub(crate) fn everything() -> Result<bool> {
    let mut sections = Vec::new();
    for section in [
        || cost::measure(true),
        cost::measure_points,
        sections::requests,
        sections::spans,
        sections::lines,
        sections::loopback,
        || sections::soak(SHORT_SOAK, true),
    ] {
        let section = section()?;
        std::io::stdout().write_all(section.terminal().as_bytes())?;
        sections.push(section);
    }
    let bars: Vec<Bar> = sections.iter().flat_map(|s| s.bars.clone()).collect();
    let bars = bars_table(&bars);
    write!(std::io::stdout(), "\nAll bars\n\n{}", bars.terminal())?;
    let mut page = METHOD.replace("{bars}", bars.markdown().trim_end());
    for section in &sections {
        let Section { title, table, .. } = section;
        write!(page, "\n## {title}\n\n{}", table.markdown())?;
    }
    let results = Path::new("benches/RESULTS.md");
    std::fs::write(results, page).with_context(|| format!("cannot write {}", results.display()))?;
    Ok(sections.iter().all(Section::holds))
}
