//! Writes metric families in the two text formats that Prometheus reads.
//!
//! OpenMetrics 1.0 (prometheus.io/docs/specs/om/open_metrics_spec) and the older text
//! format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). Names and label
//! values come out the same in both, so a series keeps its identity when the scraper
//! changes its mind: counters end in `_total`, `le` is a canonical float. What differs:
//! only OpenMetrics has units, exemplars and the closing `# EOF`.

use std::collections::HashSet;
use std::fmt::{Display, Write};

use super::exemplar::Exemplar;

/// Which of the two formats is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    OpenMetrics,
    Text,
}

impl Format {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
    Info,
    Unknown,
}

impl Kind {
    fn word(self, format: Format) -> &'static str {
        match (self, format) {
            (Self::Counter, _) => "counter",
            (Self::Gauge, _) | (Self::Info, Format::Text) => "gauge",
            (Self::Histogram, _) => "histogram",
            (Self::Summary, _) => "summary",
            (Self::Info, Format::OpenMetrics) => "info",
            (Self::Unknown, Format::OpenMetrics) => "unknown",
            (Self::Unknown, Format::Text) => "untyped",
        }
    }

    /// Ends of the names of this kind's samples.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["_total"],
            Self::Gauge | Self::Unknown => &[""],
            Self::Histogram => &["_bucket", "_count", "_sum"],
            Self::Summary => &["", "_count", "_sum"],
            Self::Info => &["_info"],
        }
    }
}

/// A page in the making.
#[derive(Debug)]
pub(crate) struct PageWriter {
    format: Format,
    out: String,
    names: HashSet<String>,
}

/// A family whose header is written; its samples follow.
#[derive(Debug)]
pub(crate) struct Family<'p, 'n> {
    page: &'p mut PageWriter,
    name: &'n str,
}

impl PageWriter {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            out: String::with_capacity(16 * 1024),
            names: HashSet::new(),
        }
    }

    /// Starts a family. `name` is without the end that its kind demands (`_total`,
    /// `_info`). `None` when a family of the page already has one of its names: a page
    /// that says a thing twice is refused as a whole.
    pub(crate) fn family<'n>(
        &mut self,
        name: &'n str,
        kind: Kind,
        help: &str,
    ) -> Option<Family<'_, 'n>> {
        let mut claimed: Vec<String> = kind
            .suffixes()
            .iter()
            .map(|suffix| format!("{name}{suffix}"))
            .collect();
        if !claimed.iter().any(|claim| claim == name) {
            claimed.push(name.to_owned());
        }
        if claimed.iter().any(|name| self.names.contains(name)) {
            return None;
        }
        self.names.extend(claimed);
        let header = match (kind, self.format) {
            (Kind::Counter | Kind::Info, Format::Text) => kind.suffixes()[0],
            _ => "",
        };
        let word = kind.word(self.format);
        push(
            &mut self.out,
            format_args!("# TYPE {name}{header} {word}\n"),
        );
        if self.format == Format::OpenMetrics
            && let Some(unit) = unit_of(name)
        {
            push(&mut self.out, format_args!("# UNIT {name} {unit}\n"));
        }
        if !help.is_empty() {
            push(&mut self.out, format_args!("# HELP {name}{header} "));
            escape(&mut self.out, help, self.format == Format::OpenMetrics);
            self.out.push('\n');
        }
        Some(Family { page: self, name })
    }

    /// The whole page.
    pub(crate) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }
}

/// One sample's value: counts are written exactly, also beyond what an `f64` can hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    Int(i128),
    Float(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Int(value) => value.fmt(f),
            Self::Float(value) if value.is_nan() => f.write_str("NaN"),
            Self::Float(f64::INFINITY) => f.write_str("+Inf"),
            Self::Float(f64::NEG_INFINITY) => f.write_str("-Inf"),
            // Whole numbers without a fraction, very large and small ones with an exponent.
            Self::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => value.fmt(f),
            Self::Float(value) => std::fmt::Debug::fmt(&value, f),
        }
    }
}

/// Label names and values; an empty value is the same as no label and is left out.
pub(crate) type Labels<'a> = [(&'a str, &'a str)];

impl Family<'_, '_> {
    /// One line. `suffix` is the end of the sample's name beyond the family's.
    pub(crate) fn sample(
        &mut self,
        suffix: &str,
        labels: &Labels<'_>,
        value: impl Into<Value>,
    ) -> &mut Self {
        self.line(suffix, labels, None, value.into(), 0);
        self.page.out.push('\n');
        self
    }

    /// As [`sample`](Self::sample), measured at a time of its own (milliseconds; 0 for now).
    pub(crate) fn sample_at(
        &mut self,
        suffix: &str,
        labels: &Labels<'_>,
        extra: Option<(&str, f64)>,
        value: Value,
        at_millis: i64,
    ) {
        let extra = extra.map(|(name, bound)| (name, canonical(bound)));
        self.line(
            suffix,
            labels,
            extra.as_ref().map(|(n, v)| (*n, v.as_str())),
            value,
            at_millis,
        );
        self.page.out.push('\n');
    }

    /// One cumulative bucket, with its exemplar where the format has them.
    pub(crate) fn bucket(
        &mut self,
        labels: &Labels<'_>,
        bound: f64,
        count: u64,
        exemplar: Option<&Exemplar>,
    ) {
        let bound = canonical(bound);
        self.line("_bucket", labels, Some(("le", &bound)), count.into(), 0);
        let out = &mut self.page.out;
        if let Some(e) = exemplar
            && self.page.format == Format::OpenMetrics
        {
            push(
                out,
                format_args!(
                    " # {{trace_id=\"{:032x}\",span_id=\"{:016x}\"}} {} {}.{:03}",
                    e.trace_id,
                    e.span_id,
                    Value::Float(e.value),
                    e.at_nanos / 1_000_000_000,
                    e.at_nanos / 1_000_000 % 1_000,
                ),
            );
        }
        out.push('\n');
    }

    fn line(
        &mut self,
        suffix: &str,
        labels: &Labels<'_>,
        extra: Option<(&str, &str)>,
        value: Value,
        at_millis: i64,
    ) {
        let out = &mut self.page.out;
        out.push_str(self.name);
        out.push_str(suffix);
        let mut open = '{';
        for (name, value) in labels.iter().copied().chain(extra) {
            if value.is_empty() {
                continue;
            }
            out.push(open);
            open = ',';
            out.push_str(name);
            out.push_str("=\"");
            escape(out, value, true);
            out.push('"');
        }
        if open == ',' {
            out.push('}');
        }
        push(out, format_args!(" {value}"));
        match (at_millis, self.page.format) {
            (0, _) => {}
            (at, Format::Text) => push(out, format_args!(" {at}")),
            (at, Format::OpenMetrics) => push(out, format_args!(" {}", at as f64 / 1e3)),
        }
    }
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(arguments);
}

/// The base unit that a well-named family carries at its end.
fn unit_of(name: &str) -> Option<&'static str> {
    [
        "seconds", "bytes", "ratio", "celsius", "meters", "volts", "amperes", "joules", "grams",
    ]
    .into_iter()
    .find(|unit| {
        name.strip_suffix(unit)
            .is_some_and(|rest| rest.ends_with('_'))
    })
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            _ => out.push(c),
        }
    }
}

/// A float as `le` and `quantile` demand it: `1.0`, `0.25`, `1e-05`, `1e+06`, `+Inf`.
fn canonical(bound: f64) -> String {
    if !bound.is_finite() || bound == 0.0 {
        return if bound == 0.0 {
            "0.0".to_owned()
        } else {
            Value::Float(bound).to_string()
        };
    }
    let scientific = format!("{bound:e}");
    match scientific
        .split_once('e')
        .map(|(digits, e)| (digits, e.parse::<i32>()))
    {
        Some((digits, Ok(e))) if !(-4..6).contains(&e) => {
            format!("{digits}e{}{:02}", if e < 0 { '-' } else { '+' }, e.abs())
        }
        _ => format!("{bound:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_canonical_floats() {
        for (bound, text) in [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (0.25, "0.25"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (100_000.0, "100000.0"),
            (1_000_000.0, "1e+06"),
            (2_500_000.0, "2.5e+06"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(canonical(bound), text);
        }
    }

    #[test]
    fn values_keep_their_digits() {
        assert_eq!(Value::from(u64::MAX).to_string(), "18446744073709551615");
        assert_eq!(Value::from(3.0).to_string(), "3");
        assert_eq!(Value::from(0.1).to_string(), "0.1");
        assert_eq!(Value::from(1e300).to_string(), "1e300");
        assert_eq!(Value::from(f64::NEG_INFINITY).to_string(), "-Inf");
    }

    #[test]
    fn a_counter_is_named_as_each_format_wants_it() {
        let page = |format| {
            let mut page = PageWriter::new(format);
            page.family("jobs", Kind::Counter, "Done \"jobs\".")
                .unwrap()
                .sample("_total", &[("queue", "a\\b\"c\nd"), ("empty", "")], 2_u64);
            page.finish()
        };
        assert_eq!(
            page(Format::OpenMetrics),
            "# TYPE jobs counter\n# HELP jobs Done \\\"jobs\\\".\n\
             jobs_total{queue=\"a\\\\b\\\"c\\nd\"} 2\n# EOF\n"
        );
        assert_eq!(
            page(Format::Text),
            "# TYPE jobs_total counter\n# HELP jobs_total Done \"jobs\".\n\
             jobs_total{queue=\"a\\\\b\\\"c\\nd\"} 2\n"
        );
    }

    #[test]
    fn names_that_would_clash_are_refused() {
        let mut page = PageWriter::new(Format::OpenMetrics);
        assert!(page.family("wait_seconds", Kind::Histogram, "").is_some());
        assert!(page.family("wait_seconds", Kind::Counter, "").is_none());
        assert!(page.family("wait_seconds_count", Kind::Gauge, "").is_none());
        assert!(page.family("wait", Kind::Gauge, "").is_some());
    }
}
