//! A strict reader of both text formats: what it does not accept, Prometheus might not either.
//!
//! It follows the OpenMetrics 1.0 specification line by line, and knows just enough to say
//! which rule a page breaks; the reference parsers are a different kind of test.

use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Labels = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) labels: Labels,
    pub(crate) value: f64,
    pub(crate) timestamp: f64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    pub(crate) value: f64,
    pub(crate) exemplar: Option<Exemplar>,
}

#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) samples: Vec<Sample>,
}

impl Page {
    pub(crate) fn named(&self, name: &str) -> Vec<&Sample> {
        self.samples
            .iter()
            .filter(|sample| sample.name == name)
            .collect()
    }

    /// The one sample of this name that has these labels among its own.
    #[cfg(feature = "axum")]
    pub(crate) fn one(&self, name: &str, labels: &[(&str, &str)]) -> &Sample {
        let has = |sample: &&Sample| {
            labels
                .iter()
                .all(|(name, value)| sample.labels.get(*name).is_some_and(|v| v == value))
        };
        let found: Vec<_> = self.named(name).into_iter().filter(has).collect();
        assert_eq!(found.len(), 1, "{name}{labels:?}: {found:#?}");
        found[0]
    }

    /// What names a series, without values.
    pub(crate) fn series(&self) -> BTreeSet<(String, Labels)> {
        self.samples
            .iter()
            .map(|s| (s.name.clone(), s.labels.clone()))
            .collect()
    }
}

struct Family {
    name: String,
    kind: String,
    samples: Vec<Sample>,
}

/// Reads a page or panics with the line that is wrong.
pub(crate) fn parse(page: &str, open_metrics: bool) -> Page {
    assert!(page.ends_with('\n'), "the last line does not end");
    let body = match (page.strip_suffix("# EOF\n"), open_metrics) {
        (Some(body), true) => body,
        (None, true) => panic!("no # EOF"),
        (_, false) => page,
    };
    let mut families: Vec<Family> = Vec::new();
    let mut seen = BTreeSet::new();
    for line in body.lines() {
        let sample_at = line.find("# ").filter(|at| *at == 0);
        if sample_at.is_some() {
            let mut words = line.splitn(4, ' ').skip(1);
            let (word, name) = (words.next().unwrap(), words.next().unwrap());
            let rest = words.next().unwrap_or_default();
            if word == "TYPE" {
                check_name(name, line);
                assert!(families.iter().all(|f| f.name != name), "twice: {line}");
                families.push(Family {
                    name: name.into(),
                    kind: rest.into(),
                    samples: vec![],
                });
            }
            let family = families
                .last()
                .unwrap_or_else(|| panic!("no TYPE before: {line}"));
            assert_eq!(family.name, name, "not together with its family: {line}");
            assert!(family.samples.is_empty(), "metadata after samples: {line}");
            match word {
                "TYPE" => assert!(
                    [
                        "counter",
                        "gauge",
                        "histogram",
                        "summary",
                        "info",
                        "unknown",
                        "stateset",
                        "gaugehistogram",
                        "untyped"
                    ]
                    .contains(&rest),
                    "{line}"
                ),
                "UNIT" => assert!(
                    open_metrics && name.ends_with(&format!("_{rest}")),
                    "{line}"
                ),
                "HELP" => assert!(!rest.is_empty(), "{line}"),
                _ => panic!("unknown comment: {line}"),
            }
            continue;
        }
        let sample = parse_sample(line, open_metrics);
        let family = families
            .last_mut()
            .unwrap_or_else(|| panic!("no TYPE before: {line}"));
        let suffix = sample.name.strip_prefix(&family.name);
        let suffixes: &[&str] = match (family.kind.as_str(), open_metrics) {
            ("counter", true) => &["_total"],
            ("histogram", _) => &["_bucket", "_count", "_sum"],
            ("summary", _) => &["", "_count", "_sum"],
            ("info", _) => &["_info"],
            _ => &[""],
        };
        assert!(
            suffix.is_some_and(|suffix| suffixes.contains(&suffix)),
            "other family: {line}"
        );
        assert!(
            seen.insert((sample.name.clone(), sample.labels.clone())),
            "series is there twice: {line}"
        );
        if family.kind == "counter" {
            assert!(
                sample.value >= 0.0 && sample.name.ends_with("_total"),
                "{line}"
            );
        }
        if sample.exemplar.is_some() {
            assert!(open_metrics && sample.name.ends_with("_bucket"), "{line}");
        }
        family.samples.push(sample);
    }
    for family in &families {
        if family.kind == "histogram" {
            check_histogram(family);
        }
    }
    Page {
        samples: families
            .into_iter()
            .flat_map(|family| family.samples)
            .collect(),
    }
}

fn check_name(name: &str, line: &str) {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == ':';
    assert!(
        name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit()),
        "bad name: {line}"
    );
}

fn parse_sample(line: &str, open_metrics: bool) -> Sample {
    let end = line
        .find(['{', ' '])
        .unwrap_or_else(|| panic!("no value: {line}"));
    let name = &line[..end];
    check_name(name, line);
    let (labels, rest) = match line[end..].strip_prefix('{') {
        Some(rest) => parse_labels(rest, line),
        None => (Labels::new(), &line[end..]),
    };
    let rest = rest
        .strip_prefix(' ')
        .unwrap_or_else(|| panic!("no space: {line}"));
    let (value, exemplar) = match rest.split_once(" # ") {
        Some((value, exemplar)) => (value, Some(parse_exemplar(exemplar, line))),
        None => (rest, None),
    };
    assert!(
        !value.contains(' ') || !open_metrics,
        "an unexpected timestamp: {line}"
    );
    let value = parse_number(value, line);
    Sample {
        name: name.to_owned(),
        labels,
        value,
        exemplar,
    }
}

fn parse_labels<'a>(mut rest: &'a str, line: &str) -> (Labels, &'a str) {
    let mut labels = Labels::new();
    loop {
        let (name, after) = rest
            .split_once("=\"")
            .unwrap_or_else(|| panic!("labels: {line}"));
        check_name(name, line);
        let mut value = String::new();
        let mut chars = after.char_indices();
        let end = loop {
            match chars
                .next()
                .unwrap_or_else(|| panic!("label does not end: {line}"))
            {
                (at, '"') => break at,
                (_, '\\') => match chars.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, c @ ('"' | '\\'))) => value.push(c),
                    other => panic!("bad escape {other:?}: {line}"),
                },
                (_, c) => value.push(c),
            }
        };
        assert!(
            labels.insert(name.to_owned(), value).is_none(),
            "label is there twice: {line}"
        );
        rest = &after[end + 1..];
        if let Some(after) = rest.strip_prefix('}') {
            return (labels, after);
        }
        rest = rest
            .strip_prefix(',')
            .unwrap_or_else(|| panic!("labels: {line}"));
    }
}

fn parse_exemplar(text: &str, line: &str) -> Exemplar {
    let text = text
        .strip_prefix('{')
        .unwrap_or_else(|| panic!("exemplar: {line}"));
    let (labels, rest) = parse_labels(text, line);
    let length: usize = labels
        .iter()
        .map(|(n, v)| n.chars().count() + v.chars().count())
        .sum();
    assert!(length <= 128, "exemplar is too long: {line}");
    let (value, timestamp) = rest.trim_start().split_once(' ').unwrap();
    let (value, timestamp) = (parse_number(value, line), parse_number(timestamp, line));
    Exemplar {
        labels,
        value,
        timestamp,
    }
}

fn parse_number(text: &str, line: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        _ => {
            assert!(
                text.starts_with(|c: char| c.is_ascii_digit() || c == '-'),
                "{line}"
            );
            text.parse()
                .unwrap_or_else(|_| panic!("not a number: {line}"))
        }
    }
}

fn check_histogram(family: &Family) {
    let mut series: BTreeMap<Labels, Vec<(f64, &Sample)>> = BTreeMap::new();
    let named = |suffix: &str| {
        let name = format!("{}{suffix}", family.name);
        family
            .samples
            .iter()
            .filter(move |sample| sample.name == name)
    };
    for bucket in named("_bucket") {
        let mut labels = bucket.labels.clone();
        let le = labels
            .remove("le")
            .unwrap_or_else(|| panic!("no le: {bucket:?}"));
        assert!(
            le.contains(['.', 'e']) || le == "+Inf",
            "le is not a float: {le}"
        );
        series
            .entry(labels)
            .or_default()
            .push((parse_number(&le, &le), bucket));
    }
    for (labels, buckets) in &series {
        let (mut bound, mut count) = (f64::NEG_INFINITY, 0.0);
        for (le, bucket) in buckets {
            assert!(
                *le > bound && bucket.value >= count,
                "not cumulative: {bucket:?}"
            );
            if let Some(exemplar) = &bucket.exemplar {
                let inside = bound < exemplar.value && exemplar.value <= *le;
                assert!(inside, "an exemplar outside of its bucket: {bucket:?}");
            }
            (bound, count) = (*le, bucket.value);
        }
        assert_eq!(bound, f64::INFINITY, "no infinite bucket: {labels:?}");
        for (suffix, check) in [("_count", true), ("_sum", false)] {
            let one: Vec<_> = named(suffix)
                .filter(|sample| sample.labels == *labels)
                .collect();
            assert_eq!(one.len(), 1, "{}{suffix}{labels:?}", family.name);
            assert!(
                !check || one[0].value == count,
                "the count is not the last bucket's"
            );
        }
    }
    assert_eq!(named("_count").count(), series.len());
}
