//! What a service's lines say: its readiness, and which of its log lines a person should see.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::terminal::Paint;

/// What a service says of itself once it is registered and ready.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ready {
    pub(crate) public: Option<String>,
    pub(crate) admin: Option<String>,
}

impl Ready {
    /// `READY {json}`; other lines are not it.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line.strip_prefix(b"READY ")?).ok()
    }
}

/// Which lines are shown on the terminal. All go to the log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// While the city starts or stops, somebody is always away already or still: no news.
    Errors,
    Warnings,
    All,
}

/// What the city's services call them first, then what the stack's programs do.
const TIME: [&str; 3] = ["timestamp", "time", "ts"];
const MESSAGE: [&str; 2] = ["message", "msg"];
const LEVEL: &str = "level";
/// For whoever reads the file.
const NO_NEWS: [&str; 5] = ["target", "service", "span_id", "resource", "stacktrace"];

/// One log line as a person reads it; `None` when it is not to be shown.
pub(crate) fn readable(line: &[u8], shown: Shown, paint: Paint) -> Option<String> {
    // Access logs come here at the rate of the traffic: look before parsing.
    let levels = match shown {
        Shown::Errors => &["ERROR", "FATAL"][..],
        Shown::Warnings => &["ERROR", "FATAL", "WARN"],
        Shown::All => &[],
    };
    let wanted =
        |found: &dyn Fn(&str) -> bool| levels.is_empty() || levels.iter().any(|l| found(l));
    if !wanted(&|level| mentions(line, level.as_bytes())) {
        return None;
    }
    let fields: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let text = |keys: &[&str]| {
        let mut texts = keys.iter().filter_map(|key| fields.get(*key)?.as_str());
        texts.next().unwrap_or_default()
    };
    let level = text(&[LEVEL]).to_ascii_uppercase();
    if !wanted(&|one| one == level) {
        return None;
    }
    let time = text(&TIME);
    let time = time.get(11..19).unwrap_or(time);
    let level = match level.as_str() {
        "ERROR" | "FATAL" => paint.red("ERROR"),
        "WARN" => paint.yellow("WARN "),
        other => paint.dim(&format!("{other:<5}")),
    };
    let mut out = format!("{} {level} {}", paint.dim(time), text(&MESSAGE));
    for (key, value) in &fields {
        let said = |keys: &[&str]| keys.contains(&key.as_str());
        if key == LEVEL || said(&TIME) || said(&MESSAGE) || said(&NO_NEWS) {
            continue;
        }
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned);
        out.push(' ');
        out.push_str(&paint.dim(&format!("{key}={value}")));
    }
    Some(out)
}

fn mentions(line: &[u8], word: &[u8]) -> bool {
    line.windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_one_line_among_others() {
        let ready = Ready::parse(
            br#"READY {"service":"users","public":"127.0.0.1:4000","admin":"127.0.0.1:4001"}"#,
        )
        .unwrap();
        assert_eq!(ready.public.as_deref(), Some("127.0.0.1:4000"));
        assert_eq!(ready.admin.as_deref(), Some("127.0.0.1:4001"));
        assert!(Ready::parse(br#"{"message":"READY "}"#).is_none());
    }

    #[test]
    fn only_warnings_and_errors_are_shown_unless_asked() {
        let info = br#"{"timestamp":"2026-11-21T12:00:01.5Z","level":"INFO","message":"got WARN"}"#;
        let warn = br#"{"timestamp":"2026-11-21T12:00:01.5Z","level":"WARN","message":"store is slow","service":"users","elapsed_ms":412}"#;
        assert_eq!(readable(info, Shown::Warnings, Paint::plain()), None);
        assert_eq!(
            readable(warn, Shown::Warnings, Paint::plain()).as_deref(),
            Some("12:00:01 WARN  store is slow elapsed_ms=412")
        );
        assert!(readable(info, Shown::All, Paint::plain()).is_some());
        assert_eq!(readable(warn, Shown::Errors, Paint::plain()), None);
    }

    #[test]
    fn the_stacks_programs_are_read_too() {
        let collector = br#"{"level":"warn","ts":"2026-11-21T12:00:01.5Z","msg":"no room","resource":{"a":1},"spans":3}"#;
        let prometheus = br#"{"time":"2026-11-21T12:00:01.5Z","level":"ERROR","msg":"bad rule"}"#;
        let read = |line: &[u8]| readable(line, Shown::Warnings, Paint::plain()).unwrap();
        assert_eq!(read(collector), "12:00:01 WARN  no room spans=3");
        assert_eq!(read(prometheus), "12:00:01 ERROR bad rule");
    }
}
