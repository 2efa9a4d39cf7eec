//! Checks of what goes into log lines, and of what says which lines there are.

use super::filter::FilterHandle;
use super::text::{VALUE_LIMIT, json_str, terminal_str};

/// A filter is taken whole, or the error says which one it is about.
pub(crate) fn filter(input: &[u8]) {
    let Ok(directives) = std::str::from_utf8(input) else {
        return;
    };
    let handle = FilterHandle::default();
    match handle.set(directives) {
        Ok(()) => assert!(!directives.trim().is_empty()),
        Err(error) => assert!(error.to_string().contains(&format!("{directives:?}"))),
    }
}

/// A JSON parser reads what was written, in one line; a terminal gets no commands.
pub(crate) fn text(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut line = vec![b'"'];
    json_str(&mut line, &text);
    line.push(b'"');
    assert!(line.iter().all(|byte| *byte >= b' '));
    let read: Option<String> = serde_json::from_slice(&line).ok();
    if text.len() <= VALUE_LIMIT {
        assert_eq!(read.as_deref(), Some(&*text));
    }
    let mut shown = Vec::new();
    terminal_str(&mut shown, &text);
    let shown = String::from_utf8(shown);
    assert!(shown.is_ok_and(|shown| !shown.contains(char::is_control)));
}
