//! Whether whoever reads by one schema can read what is written by another.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Keywords whose values narrow what can be written: a reader may rely on each, so it has to stay
/// as it was.
const NARROWING: [&str; 10] = [
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "multipleOf",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "const",
];

/// What a reader of `before` would stumble over in what is written by `now`: no field may be
/// removed or get another type, none that was always there may be left out, and no value may be
/// new where all were listed. Further fields are passed over by readers.
///
/// The same says what a promise, `now`, does not give to a need, `before`.
#[must_use]
pub fn breaches(now: &Value, before: &Value) -> Vec<String> {
    let mut comparison = Comparison {
        now,
        before,
        seen: BTreeSet::new(),
        found: Vec::new(),
    };
    comparison.compare(now, before, "");
    comparison.found
}

struct Comparison<'a> {
    now: &'a Value,
    before: &'a Value,
    /// Pairs of parts that are compared already: a part may hold itself.
    seen: BTreeSet<(String, String)>,
    found: Vec<String>,
}

impl<'a> Comparison<'a> {
    fn compare(&mut self, now: &'a Value, before: &'a Value, path: &str) {
        if let (Some(new), Some(old)) = (reference(now), reference(before))
            && !self.seen.insert((new.to_owned(), old.to_owned()))
        {
            return;
        }
        let now = resolved(self.now, now);
        let before = resolved(self.before, before);
        let (new, old) = (variants(now), variants(before));
        if (&*new, &*old) != (&[now], &[before]) {
            return self.compare_variants(&new, &old, path);
        }
        let (Some(now), Some(before)) = (now.as_object(), before.as_object()) else {
            if now != before {
                self.tell(path, "is not what it was");
            }
            return;
        };
        self.compare_types(now, before, path);
        self.compare_values(now, before, path);
        self.compare_fields(now, before, path);
        for key in ["items", "additionalProperties"] {
            match (now.get(key), before.get(key)) {
                (Some(now), Some(before)) => self.compare(now, before, &format!("{path}[]")),
                (None, Some(_)) => self.tell(path, &format!("has no `{key}` any more")),
                (_, None) => {}
            }
        }
        for key in ["allOf", "prefixItems"] {
            let (now, before) = (list(now, key), list(before, key));
            if now.len() != before.len() {
                self.tell(path, &format!("has other parts (`{key}`)"));
            }
            for (now, before) in now.iter().zip(before) {
                self.compare(now, before, path);
            }
        }
    }

    /// Each form that is written must be one that can be read.
    fn compare_variants(&mut self, new: &[&'a Value], old: &[&'a Value], path: &str) {
        for form in new {
            let fits = |known: &&&Value| {
                let mut trial = Comparison {
                    now: self.now,
                    before: self.before,
                    seen: self.seen.clone(),
                    found: Vec::new(),
                };
                trial.compare(form, known, path);
                trial.found.is_empty()
            };
            if !old.iter().any(|known| fits(&known)) {
                self.tell(path, "can take a form that it could not");
            }
        }
    }

    fn compare_types(&mut self, now: &Map<String, Value>, before: &Map<String, Value>, path: &str) {
        let known = types(before);
        if !known.is_empty() {
            let new = types(now);
            let fits = |kind: &&str| {
                known.contains(kind) || (*kind == "integer" && known.contains(&"number"))
            };
            if new.is_empty() || !new.iter().all(fits) {
                self.tell(path, &format!("is {new:?}, was {known:?}"));
            }
        }
        let format = |schema: &Map<String, Value>| {
            schema
                .get("format")
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        if let Some(known) = format(before) {
            let new = format(now).unwrap_or_default();
            let narrower = matches!((&*new, &*known), ("int32", "int64") | ("float", "double"));
            if new != known && !narrower {
                self.tell(path, &format!("has the format `{new}`, had `{known}`"));
            }
        }
    }

    fn compare_values(
        &mut self,
        now: &Map<String, Value>,
        before: &Map<String, Value>,
        path: &str,
    ) {
        let known = list(before, "enum");
        if !known.is_empty() {
            let new = list(now, "enum");
            if new.is_empty() {
                self.tell(path, "can be anything, was one of a list");
            }
            for value in new.iter().filter(|value| !known.contains(value)) {
                self.tell(path, &format!("can be {value}, which it could not"));
            }
        }
        for key in NARROWING {
            if let Some(known) = before.get(key)
                && now.get(key) != Some(known)
            {
                self.tell(path, &format!("has another `{key}`"));
            }
        }
        for (key, least) in [("minimum", true), ("maximum", false)] {
            let bound = |schema: &Map<String, Value>| schema.get(key).and_then(Value::as_f64);
            let Some(known) = bound(before) else { continue };
            let holds =
                bound(now).is_some_and(|new| if least { new >= known } else { new <= known });
            if !holds {
                self.tell(path, &format!("has a wider `{key}`"));
            }
        }
    }

    fn compare_fields(
        &mut self,
        now: &'a Map<String, Value>,
        before: &'a Map<String, Value>,
        path: &str,
    ) {
        let fields =
            |schema: &'a Map<String, Value>| schema.get("properties").and_then(Value::as_object);
        let required = list(now, "required");
        let was_required = list(before, "required");
        for (name, known) in fields(before).into_iter().flatten() {
            let path = format!("{path}.{name}");
            let Some(field) = fields(now).and_then(|fields| fields.get(name)) else {
                self.tell(&path, "is not there");
                continue;
            };
            let named = |list: &[Value]| list.iter().any(|one| one.as_str() == Some(name));
            if named(was_required) && !named(required) {
                self.tell(&path, "can be left out");
            }
            self.compare(field, known, &path);
        }
    }

    fn tell(&mut self, path: &str, what: &str) {
        let path = path.trim_start_matches('.');
        let path = if path.is_empty() { "the body" } else { path };
        self.found.push(format!("{path} {what}"));
    }
}

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()
}

/// What a reference leads to.
fn resolved<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let part = reference(schema).and_then(|to| to.strip_prefix("#/$defs/"));
    match part.and_then(|name| root.get("$defs")?.get(name)) {
        Some(part) => part,
        None => schema,
    }
}

/// The forms of which it has one; itself if it has no others.
fn variants(schema: &Value) -> Vec<&Value> {
    let forms = |key| schema.get(key).and_then(Value::as_array);
    let forms = forms("oneOf").or_else(|| forms("anyOf"));
    forms.map_or_else(|| vec![schema], |forms| forms.iter().collect())
}

fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(some)) => some.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn list<'a>(schema: &'a Map<String, Value>, key: &str) -> &'a [Value] {
    schema
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}
