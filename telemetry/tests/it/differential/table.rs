//! What differs and why: the source of `docs/differences.md`.

use super::Facts;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

/// What one test found: what it is about, and case by case what either side says.
#[derive(Debug, Default)]
pub(super) struct Found {
    cases: usize,
    differences: BTreeMap<String, Vec<Difference>>,
}

#[derive(Debug)]
struct Difference {
    case: &'static str,
    official: String,
    ours: String,
}

/// Two tests read and write the page.
static PAGE: Mutex<()> = Mutex::new(());

/// What differs with the reason why.
pub(super) type Reasons = &'static [(&'static str, &'static str)];

const MARKS: [&str; 2] = ["<!-- requests -->", "<!-- spans -->"];

/// One half of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Requests,
    Spans,
}

impl Found {
    pub(super) fn compare(&mut self, case: &'static str, official: &Facts, ours: &Facts) {
        self.cases += 1;
        let all: BTreeSet<&String> = official.keys().chain(ours.keys()).collect();
        for what in all {
            let say = |facts: &Facts| facts.get(what).cloned().unwrap_or_default();
            let (official, ours) = (say(official), say(ours));
            if official != ours {
                let differences = self.differences.entry(what.clone()).or_default();
                differences.push(Difference {
                    case,
                    official,
                    ours,
                });
            }
        }
    }

    /// Whatever differs is on the list with its reason, whatever is on the list differs, and the
    /// page says so.
    pub(super) fn check(&self, half: Half, reasons: Reasons) {
        let found: BTreeSet<&str> = self.differences.keys().map(String::as_str).collect();
        let listed: BTreeSet<&str> = reasons.iter().map(|(what, _)| *what).collect();
        let unlisted: Vec<_> = found
            .difference(&listed)
            .map(|what| &self.differences[*what])
            .collect();
        assert!(
            unlisted.is_empty(),
            "nobody has said why these differ: {unlisted:#?}"
        );
        let gone: Vec<_> = listed.difference(&found).collect();
        assert!(gone.is_empty(), "these do not differ any more: {gone:?}");

        let _alone = PAGE.lock();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let [first, second] =
            MARKS.map(|mark| page.split_once(mark).expect("the page's marks").0.len());
        let section = self.section(reasons);
        let (from, to) = match half {
            Half::Requests => (first + MARKS[0].len(), second),
            Half::Spans => (second + MARKS[1].len(), page.len()),
        };
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let written = format!("{}\n\n{section}{}", &page[..from], &page[to..]);
            std::fs::write(&path, written).unwrap();
        } else {
            let same = page[from..to].trim() == section.trim();
            assert!(
                same,
                "docs/differences.md says otherwise: run the tests with UPDATE_DOCS=1\n{section}"
            );
        }
    }

    fn section(&self, reasons: Reasons) -> String {
        let mut section = String::new();
        for (what, why) in reasons {
            let _ = write!(
                section,
                "### {what}\n\n{why}\n\n| official | ours | where |\n|---|---|---|\n"
            );
            let mut rows: Vec<(&str, &str, Vec<&str>)> = Vec::new();
            for Difference {
                case,
                official,
                ours,
            } in &self.differences[*what]
            {
                match rows.iter_mut().find(|(o, u, _)| o == official && u == ours) {
                    Some((.., cases)) => cases.push(case),
                    None => rows.push((official, ours, vec![case])),
                }
            }
            for (official, ours, cases) in rows {
                let place = match cases.len() {
                    all if all == self.cases => "everywhere".to_owned(),
                    many if many > self.cases / 2 => "nearly everywhere".to_owned(),
                    _ => cases.join(", "),
                };
                let _ = writeln!(
                    section,
                    "| {} | {} | {place} |",
                    shown(official),
                    shown(ours)
                );
            }
            section.push('\n');
        }
        section
    }
}

fn shown(value: &str) -> String {
    match value.trim_matches('"') {
        _ if value.is_empty() => "nothing".to_owned(),
        // A release changes nothing.
        env!("CARGO_PKG_VERSION") => "this crate's".to_owned(),
        _ => format!("`{value}`"),
    }
}
