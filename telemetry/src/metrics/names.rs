//! OpenTelemetry's names as the page has them, by the specification's
//! [translation](https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#otlp-metric-points-to-prometheus).

use super::family::Kind;

/// Units of UCUM that the page spells out, with the word for them.
const UNITS: [(&str, &str); 8] = [
    ("s", "seconds"),
    ("By", "bytes"),
    ("Cel", "celsius"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("g", "grams"),
];

/// A family's name: separators become `_`, and the unit is its end. `1` is a ratio for
/// gauges; what is in braces is no unit but a note.
pub(crate) fn family(name: &str, unit: &str, kind: Kind) -> String {
    let mut out = clean(name);
    let word = match (unit, kind) {
        ("1", Kind::Gauge) => Some("ratio"),
        _ => UNITS
            .iter()
            .find_map(|(ucum, word)| (*ucum == unit).then_some(*word)),
    };
    if let Some(word) = word
        && !ends_with_unit(&out, word)
    {
        out.push('_');
        out.push_str(word);
    }
    out
}

/// The unit at the end of a family's name on the page.
pub(crate) fn unit_word(page_name: &str) -> Option<&'static str> {
    let words = UNITS.iter().map(|(_, word)| *word);
    words
        .chain(["ratio"])
        .find(|word| ends_with_unit(page_name, word))
}

/// UCUM's letters for the unit at the end of a name that comes from the page's world; empty
/// if it has none.
pub(crate) fn unit_of(page_name: &str) -> &'static str {
    match unit_word(page_name) {
        Some("ratio") => "1",
        Some(word) => UNITS
            .iter()
            .find_map(|(ucum, known)| (*known == word).then_some(*ucum))
            .unwrap_or_default(),
        None => "",
    }
}

fn ends_with_unit(name: &str, word: &str) -> bool {
    name.strip_suffix(word)
        .is_some_and(|rest| rest.ends_with('_'))
}

/// An attribute's name as a label: `service.name` becomes `service_name`.
pub(crate) fn label(key: &str) -> String {
    clean(key)
}

fn clean(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let clean: String = name.chars().map(plain).collect();
    if clean.starts_with(|first: char| first.is_ascii_digit()) {
        format!("_{clean}")
    } else {
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated_as_the_specification_has_it() {
        for (name, unit, kind, page) in [
            (
                "http.server.request.duration",
                "s",
                Kind::Histogram,
                "http_server_request_duration_seconds",
            ),
            (
                "http.server.active_requests",
                "{request}",
                Kind::UpDownCounter,
                "http_server_active_requests",
            ),
            (
                "process.memory.usage",
                "By",
                Kind::UpDownCounter,
                "process_memory_usage_bytes",
            ),
            ("jobs_wait_seconds", "s", Kind::Gauge, "jobs_wait_seconds"),
            ("cache.hit", "1", Kind::Gauge, "cache_hit_ratio"),
            ("cache.hits", "1", Kind::Counter, "cache_hits"),
            ("2xx", "", Kind::Counter, "_2xx"),
        ] {
            assert_eq!(family(name, unit, kind), page);
        }
        assert_eq!(label("service.name"), "service_name");
    }

    #[test]
    fn units_are_read_off_names() {
        assert_eq!(unit_of("lag_seconds"), "s");
        assert_eq!(unit_of("hit_ratio"), "1");
        assert_eq!(unit_of("store_bytes"), "By");
        assert_eq!(unit_of("nanoseconds"), "");
        assert_eq!(unit_of("orders"), "");
    }
}
