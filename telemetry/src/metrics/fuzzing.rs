//! Checks of what the metrics are asked by, and of what they read.

pub(crate) use super::process::fuzzing::proc;

use super::accept::choose;
use super::text::Format;

/// Only who names OpenMetrics gets it; who wants nothing more than that does.
pub(crate) fn accept(input: &[u8]) {
    const OPEN_METRICS: &str = "application/openmetrics-text";
    let Ok(accept) = std::str::from_utf8(input) else {
        return;
    };
    if choose(Some(accept)) == Format::OpenMetrics {
        assert!(accept.to_ascii_lowercase().contains(OPEN_METRICS));
    }
    let wanted = format!("{OPEN_METRICS};version=1.0.0,{accept}");
    assert_eq!(choose(Some(&wanted)), Format::OpenMetrics);
    let unwanted = accept.to_ascii_lowercase().replace("openmetrics", "-");
    assert_eq!(choose(Some(&unwanted)), Format::Text);
}
