//! Writes a snapshot in the two text formats that Prometheus reads.
//!
//! OpenMetrics 1.0 (prometheus.io/docs/specs/om/open_metrics_spec) and the older text
//! format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). Names and label
//! values come out the same in both, so a series keeps its identity when the scraper
//! changes its mind: counters end in `_total`, `le` is a canonical float. What differs:
//! only OpenMetrics has units, exemplars and the closing `# EOF`.

use std::fmt::{Display, Write};

use super::exemplar::Exemplar;
use super::family::{
    Audience, Data, Distribution, Family, Kind, LabelValue, Labels, Quantiles, Snapshot, Value,
};
use super::names;

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

impl Kind {
    fn word(self, format: Format) -> &'static str {
        match (self, format) {
            (Self::Counter, _) => "counter",
            (Self::Gauge | Self::UpDownCounter, _) | (Self::Info, Format::Text) => "gauge",
            (Self::Histogram, _) => "histogram",
            (Self::Summary, _) => "summary",
            (Self::Info, Format::OpenMetrics) => "info",
            (Self::UntypedCounter, Format::OpenMetrics) => "unknown",
            (Self::UntypedCounter, Format::Text) => "untyped",
        }
    }

    /// The end of the names of this kind's plain samples.
    fn suffix(self) -> &'static str {
        match self {
            Self::Counter => "_total",
            Self::Info => "_info",
            _ => "",
        }
    }
}

/// The whole page.
pub(crate) fn page(snapshot: &Snapshot, format: Format) -> String {
    let mut page = Page {
        format,
        out: String::with_capacity(16 * 1024),
    };
    for family in snapshot.families_for(Audience::Page) {
        page.family(family);
    }
    if format == Format::OpenMetrics {
        page.out.push_str("# EOF\n");
    }
    page.out
}

/// A page in the making.
#[derive(Debug)]
struct Page {
    format: Format,
    out: String,
}

/// One line's place: the family and the series.
#[derive(Clone, Copy, Debug)]
struct Series<'a> {
    name: &'a str,
    labels: &'a Labels,
    /// Milliseconds; 0 for now.
    at_millis: i64,
}

impl Page {
    fn family(&mut self, family: &Family) {
        let description = &family.description;
        let (name, kind) = (&*description.page_name, description.kind);
        let header = match self.format {
            Format::OpenMetrics => "",
            Format::Text => kind.suffix(),
        };
        let word = kind.word(self.format);
        self.write(format_args!("# TYPE {name}{header} {word}\n"));
        if self.format == Format::OpenMetrics
            && let Some(unit) = names::unit_word(name)
        {
            self.write(format_args!("# UNIT {name} {unit}\n"));
        }
        if !description.help.is_empty() {
            self.write(format_args!("# HELP {name}{header} "));
            let quotes = self.format == Format::OpenMetrics;
            escape(&mut self.out, &description.help, quotes);
            self.out.push('\n');
        }
        for point in &family.points {
            let series = Series {
                name,
                labels: &point.labels,
                at_millis: point.at_millis,
            };
            match &point.data {
                Data::Number(value) => self.sample(series, kind.suffix(), None, *value),
                Data::Distribution(distribution) => self.distribution(series, distribution),
                Data::Quantiles(quantiles) => self.quantiles(series, quantiles),
            }
        }
    }

    fn distribution(&mut self, series: Series<'_>, distribution: &Distribution) {
        let mut cumulative = 0;
        let bounds = distribution.bounds.iter().copied().chain([f64::INFINITY]);
        for (bucket, (bound, count)) in bounds.zip(&distribution.counts).enumerate() {
            cumulative += count;
            self.line(series, "_bucket", Some(("le", bound)), cumulative.into());
            if let Some(exemplar) = distribution.exemplar_of(bucket)
                && self.format == Format::OpenMetrics
            {
                self.exemplar(exemplar);
            }
            self.out.push('\n');
        }
        self.sample(series, "_sum", None, distribution.sum.into());
        self.sample(series, "_count", None, cumulative.into());
    }

    fn quantiles(&mut self, series: Series<'_>, quantiles: &Quantiles) {
        for (quantile, value) in &quantiles.values {
            self.sample(series, "", Some(("quantile", *quantile)), (*value).into());
        }
        self.sample(series, "_sum", None, quantiles.sum.into());
        self.sample(series, "_count", None, quantiles.count.into());
    }

    fn sample(
        &mut self,
        series: Series<'_>,
        suffix: &str,
        extra: Option<(&str, f64)>,
        value: Value,
    ) {
        self.line(series, suffix, extra, value);
        self.out.push('\n');
    }

    /// A line without its end: an exemplar may follow.
    fn line(&mut self, series: Series<'_>, suffix: &str, extra: Option<(&str, f64)>, value: Value) {
        self.out.push_str(series.name);
        self.out.push_str(suffix);
        let mut open = '{';
        for (name, value) in series.labels.iter() {
            self.out.push(std::mem::replace(&mut open, ','));
            self.out.push_str(&names::label(name));
            self.out.push_str("=\"");
            match value {
                LabelValue::Static(text) => escape(&mut self.out, text, true),
                LabelValue::Shared(text) => escape(&mut self.out, text, true),
                LabelValue::Number(number) => self.write(format_args!("{number}")),
            }
            self.out.push('"');
        }
        if let Some((name, bound)) = extra {
            self.out.push(std::mem::replace(&mut open, ','));
            self.write(format_args!("{name}=\"{}\"", canonical(bound)));
        }
        if open == ',' {
            self.out.push('}');
        }
        self.write(format_args!(" {value}"));
        match (series.at_millis, self.format) {
            (0, _) => {}
            (at, Format::Text) => self.write(format_args!(" {at}")),
            (at, Format::OpenMetrics) => self.write(format_args!(" {}", at as f64 / 1e3)),
        }
    }

    fn exemplar(&mut self, exemplar: &Exemplar) {
        self.write(format_args!(
            " # {{trace_id=\"{:032x}\",span_id=\"{:016x}\"}} {} {}.{:03}",
            exemplar.trace_id,
            exemplar.span_id,
            Value::Float(exemplar.value),
            exemplar.at_nanos / 1_000_000_000,
            exemplar.at_nanos / 1_000_000 % 1_000,
        ));
    }

    fn write(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(arguments);
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
    use crate::metrics::family::Description;

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
        let mut all = Snapshot::default();
        let jobs = Description::new(Kind::Counter, "jobs", "", "Done \"jobs\".");
        let shared = LabelValue::Shared("a\\b\"c\nd".into());
        let labels = Labels::none().with("queue.name", shared);
        all.family(jobs).unwrap().number(labels, 2_u64);
        assert_eq!(
            page(&all, Format::OpenMetrics),
            "# TYPE jobs counter\n# HELP jobs Done \\\"jobs\\\".\n\
             jobs_total{queue_name=\"a\\\\b\\\"c\\nd\"} 2\n# EOF\n"
        );
        assert_eq!(
            page(&all, Format::Text),
            "# TYPE jobs_total counter\n# HELP jobs_total Done \"jobs\".\n\
             jobs_total{queue_name=\"a\\\\b\\\"c\\nd\"} 2\n"
        );
    }
}
