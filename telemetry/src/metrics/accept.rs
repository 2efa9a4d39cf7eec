//! Which format a scraper wants, by its `Accept` header (RFC 9110, 12.5.1).

use super::text::Format;

/// OpenMetrics only for those who ask for it at least as much as for plain text: a person
/// with a browser or curl gets the older format.
pub(crate) fn choose(accept: Option<&str>) -> Format {
    let (mut open_metrics, mut text) = (0_u16, 0_u16);
    for range in accept.unwrap_or_default().split(',') {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut quality, mut version) = (1_000, "");
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = thousandths(value.trim()),
                "version" => version = value.trim().trim_matches('"'),
                _ => {}
            }
        }
        match media_type.as_str() {
            "application/openmetrics-text" if matches!(version, "" | "1.0.0") => {
                open_metrics = open_metrics.max(quality);
            }
            "text/plain" | "text/*" | "*/*" => text = text.max(quality),
            _ => {}
        }
    }
    if open_metrics > 0 && open_metrics >= text {
        Format::OpenMetrics
    } else {
        Format::Text
    }
}

/// A `q` in thousandths; what is not a number between 0 and 1 counts as 0.
fn thousandths(q: &str) -> u16 {
    match q.parse::<f32>() {
        Ok(q) if (0.0..=1.0).contains(&q) => (q * 1_000.0).round() as u16,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scraper_decides() {
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
            application/openmetrics-text;version=0.0.1;q=0.5,\
            text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,\
            */*;q=0.2";
        for (accept, format) in [
            (None, Format::Text),
            (Some(""), Format::Text),
            (Some("*/*"), Format::Text),
            (
                Some("text/html,application/xhtml+xml,*/*;q=0.8"),
                Format::Text,
            ),
            (Some(prometheus_3), Format::OpenMetrics),
            (
                Some("Application/OpenMetrics-Text; Version=\"1.0.0\""),
                Format::OpenMetrics,
            ),
            (Some("application/openmetrics-text"), Format::OpenMetrics),
            (
                Some("application/openmetrics-text;version=2.0.0"),
                Format::Text,
            ),
            (Some("application/openmetrics-text;q=0"), Format::Text),
            (
                Some("application/openmetrics-text;q=0.2,text/plain;q=0.9"),
                Format::Text,
            ),
            (
                Some("application/openmetrics-text;q=high, text/plain;q=0.1"),
                Format::Text,
            ),
            (Some(";;;=,,q=,\u{1}"), Format::Text),
        ] {
            assert_eq!(choose(accept), format, "{accept:?}");
        }
    }
}
