//! The parameters of a search, and what they mean.

use std::collections::BTreeMap;

use super::duration;
use crate::otlp::decode::{self, Attribute, Scope};
use crate::store::{Filter, Found, Snapshot, Store, StoredSpan, TraceId};

/// Traces answered when nothing is said, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_500;
/// How far back a search goes when nothing is said.
const LOOKBACK_NANOS: u64 = 48 * 3600 * 1_000_000_000;

/// A search: which traces, and how they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Search {
    /// When any is named, these are fetched and nothing is searched.
    pub trace_ids: Vec<TraceId>,
    pub filter: Filter,
    /// Attributes that the same span must have, compared as text.
    pub tags: BTreeMap<String, String>,
    pub limit: usize,
    pub raw: bool,
    /// A tag asks for what no span can be.
    impossible: bool,
}

/// Query parameters in the order in which they came, repeats included.
pub(crate) type Pairs = Vec<(String, String)>;

impl Search {
    /// Reads Jaeger's parameters. `now` is in nanoseconds since 1970. Errors are worded as
    /// Jaeger's.
    pub(crate) fn parse(pairs: &Pairs, now: u64) -> Result<Self, String> {
        let first = |name: &str| {
            let found = pairs
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str());
            found.filter(|value| !value.is_empty())
        };
        let all = |name: &'static str| pairs.iter().filter(move |(key, _)| key == name);
        let mut trace_ids = Vec::new();
        for (_, id) in all("traceID") {
            let id = TraceId::from_hex(id)
                .ok_or_else(|| format!("cannot parse traceID param: {id:?} is not a trace id"))?;
            trace_ids.push(id);
        }
        let start = time(first("start"), "start")?.unwrap_or(now.saturating_sub(LOOKBACK_NANOS));
        let end = time(first("end"), "end")?.unwrap_or(now);
        let mut search = Search {
            trace_ids,
            filter: Filter {
                service: first("service").map(str::to_owned),
                operation: first("operation").map(str::to_owned),
                start: (start, end),
                ..Filter::default()
            },
            tags: tags(all("tag"), all("tags"))?,
            limit: limit(first("limit"))?,
            raw: flag(first("raw"), "raw")?,
            impossible: false,
        };
        let shortest = length(first("minDuration"), "minDuration")?;
        let longest = length(first("maxDuration"), "maxDuration")?;
        if start > end {
            return Err("invalid parameter: start time must be before end time".to_owned());
        }
        if let (Some(shortest), Some(longest)) = (shortest, longest)
            && longest < shortest
        {
            return Err("'maxDuration' should be greater than 'minDuration'".to_owned());
        }
        search.filter.duration = (shortest.unwrap_or(0), longest.unwrap_or(u64::MAX));
        search.index_tags();
        Ok(search)
    }

    /// Moves the tags that the store's rows answer out of those that need a span's attributes.
    fn index_tags(&mut self) {
        if let Some(error) = self.tags.remove("error") {
            self.filter.error = go_bool(&error);
            self.impossible |= self.filter.error.is_none();
        }
        if let Some(status) = self.tags.remove("span.status") {
            self.filter.status = Some(match status.to_ascii_uppercase().as_str() {
                "OK" => 1,
                "ERROR" => 2,
                _ => 0,
            });
        }
        if let Some(kind) = self.tags.remove("span.kind") {
            let kind = kind.to_ascii_lowercase();
            let known = (0..)
                .zip(super::model::KINDS)
                .find(|(_, name)| *name == kind);
            self.filter.kind = Some(known.map_or(0, |(number, _)| number));
        }
    }

    /// Runs the search: newest traces first.
    pub(crate) fn run(&self, store: &Store) -> Vec<Snapshot> {
        let mut found = Vec::new();
        if self.impossible {
            return found;
        }
        let mut matching = store.find(self.filter.clone());
        while found.len() < self.limit
            && let Some(snapshot) = self.next(&mut matching)
        {
            found.push(snapshot);
        }
        found
    }

    fn next(&self, matching: &mut Found<'_>) -> Option<Snapshot> {
        matching.next_where(|span| self.tags.is_empty() || has_tags(&self.tags, &span))
    }
}

/// Every tag is somewhere on the span: in its attributes, its scope's, its resource's, or those
/// of its events and links.
fn has_tags(tags: &BTreeMap<String, String>, stored: &StoredSpan<'_>) -> bool {
    let span = decode::Span::decode(stored.raw);
    let scope = Scope::decode(&stored.origin.scope);
    let resource = decode::resource_attributes(&stored.origin.resource);
    tags.iter().all(|(key, value)| {
        let among = |attributes: &[Attribute<'_>]| has(attributes, key, value);
        match key.as_str() {
            "scope.name" => scope.name == *value,
            "scope.version" => scope.version == *value,
            _ => match key.strip_prefix("resource.") {
                Some(key) => has(&resource, key, value),
                None => {
                    among(&span.attributes)
                        || among(&scope.attributes)
                        || among(&resource)
                        || span.events.iter().any(|event| among(&event.attributes))
                        || span.links.iter().any(|link| among(&link.attributes))
                }
            },
        }
    })
}

fn has(attributes: &[Attribute<'_>], key: &str, value: &str) -> bool {
    attributes
        .iter()
        .any(|attribute| attribute.key == key && attribute.value.to_text() == value)
}

/// Microseconds since 1970, as nanoseconds; what lies before 1970 is 1970.
fn time(text: Option<&str>, name: &str) -> Result<Option<u64>, String> {
    let Some(text) = text else { return Ok(None) };
    let micros: i64 = text
        .parse()
        .map_err(|_| format!("unable to parse param '{name}': {text:?} is not a whole number"))?;
    Ok(Some(
        u64::try_from(micros).unwrap_or(0).saturating_mul(1_000),
    ))
}

/// Nanoseconds; zero is no bound.
fn length(text: Option<&str>, name: &str) -> Result<Option<u64>, String> {
    let Some(text) = text else { return Ok(None) };
    let fail = |cause: String| format!("unable to parse param '{name}': {cause}");
    let nanos = duration::parse(text).map_err(fail)?;
    match u64::try_from(nanos) {
        Ok(0) => Ok(None),
        Ok(nanos) => Ok(Some(nanos)),
        Err(_) => Err(fail("a duration must not be negative".to_owned())),
    }
}

fn limit(text: Option<&str>) -> Result<usize, String> {
    let Some(text) = text else {
        return Ok(DEFAULT_LIMIT);
    };
    let limit: i32 = text
        .parse()
        .map_err(|_| format!("unable to parse param 'limit': {text:?} is not a whole number"))?;
    match usize::try_from(limit) {
        Ok(1..) => Ok((limit as usize).min(MAX_LIMIT)),
        _ => Err("invalid parameter: limit must be greater than 0".to_owned()),
    }
}

pub(super) fn flag(text: Option<&str>, name: &str) -> Result<bool, String> {
    let Some(text) = text else { return Ok(false) };
    let invalid = || format!("unable to parse param '{name}': {text:?} is not true or false");
    go_bool(text).ok_or_else(invalid)
}

fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// `tag=key:value`, repeated, and `tags={"key":"value"}`, repeated; the latter win.
fn tags<'a>(
    simple: impl Iterator<Item = &'a (String, String)>,
    json: impl Iterator<Item = &'a (String, String)>,
) -> Result<BTreeMap<String, String>, String> {
    let mut tags = BTreeMap::new();
    for (_, tag) in simple {
        let Some((key, value)) = tag.split_once(':') else {
            let message = "malformed 'tag' parameter, expecting key:value, received";
            return Err(format!("{message}: {tag}"));
        };
        tags.insert(key.to_owned(), value.to_owned());
    }
    for (_, text) in json {
        let map: BTreeMap<String, String> = serde_json::from_str(text).map_err(|error| {
            format!("malformed 'tags' parameter, cannot unmarshal JSON: {error}")
        })?;
        tags.extend(map);
    }
    Ok(tags)
}
