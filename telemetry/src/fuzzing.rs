//! What fuzzers try: every parser of bytes from outside, with what has to hold of all it accepts.
//!
//! Built for fuzzers (`scripts/fuzz`) and for this crate's own tests, which try the same inputs
//! again. The checks stand beside what they check; here is the list of them.

use crate::{context, conventions, export, http, log, metrics, sampling, settings};

/// A check panics if something does not hold of these bytes.
pub type Check = fn(&[u8]);

/// Each with the name of its program in `fuzz/fuzz_targets` and of its inputs in `fuzz/corpus`.
pub const CHECKS: [(&str, Check); 19] = [
    ("accept", metrics::fuzzing::accept),
    ("authority", http::fuzzing::authority),
    ("b3", context::fuzzing::b3),
    ("baggage", context::fuzzing::baggage),
    ("forwarded", http::fuzzing::forwarded),
    ("jaeger", context::fuzzing::jaeger),
    ("log_filter", log::fuzzing::filter),
    ("log_text", log::fuzzing::text),
    ("otlp_answer", export::fuzzing::answer),
    ("otlp_request", export::fuzzing::request),
    ("ottrace", context::fuzzing::ottrace),
    ("proc", metrics::fuzzing::proc),
    ("query", http::fuzzing::query),
    ("sampling", sampling::fuzzing::state),
    ("settings", settings::fuzzing::variables),
    ("sql", conventions::fuzzing::sql),
    ("traceparent", context::fuzzing::traceparent),
    ("tracestate", context::fuzzing::tracestate),
    ("xray", context::fuzzing::xray),
];

/// Tries one input.
///
/// # Panics
/// If it finds something wrong, or no check has this name.
pub fn check(name: &str, input: &[u8]) {
    let known = CHECKS.iter().find(|(known, _)| *known == name);
    let (_, check) = known.unwrap_or_else(|| panic!("no check is called {name:?}"));
    check(input);
}

/// The lines of an input, without what ends them: an input of several values has one a line.
pub(crate) fn lines(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split(|byte| *byte == b'\n')
}

/// The lines `name: value` of an input as far as they are headers.
pub(crate) fn headers(input: &[u8]) -> ::http::HeaderMap {
    let header = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = ::http::HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = ::http::HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        Some((name, value))
    };
    let mut headers = ::http::HeaderMap::new();
    for (name, value) in lines(input).filter_map(header) {
        headers.append(name, value);
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz")
            .join(name)
    }

    /// The archive of the crate leaves the folder out, which is a crate of its own.
    fn is_packaged() -> bool {
        !folder("Cargo.toml").exists()
    }

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap();
        let name = |entry: fs::DirEntry| entry.path().file_stem().unwrap().to_owned();
        let names = entries.map(|entry| name(entry.unwrap()).into_string().unwrap());
        names.collect()
    }

    #[test]
    fn every_check_is_a_program_of_the_fuzzer_with_inputs() {
        if is_packaged() {
            return;
        }
        let checks: BTreeSet<_> = CHECKS.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(checks.len(), CHECKS.len());
        assert_eq!(names(&folder("fuzz_targets")), checks);
        assert_eq!(names(&folder("corpus")), checks);
    }

    #[test]
    fn whatever_a_fuzzer_has_tried_still_holds() {
        if is_packaged() {
            return;
        }
        for (name, check) in CHECKS {
            let mut tried = 0;
            for input in fs::read_dir(folder("corpus").join(name)).unwrap() {
                let path = input.unwrap().path();
                let input = fs::read(&path).unwrap();
                let held = std::panic::catch_unwind(|| check(&input));
                assert!(held.is_ok(), "{}", path.display());
                tried += 1;
            }
            assert!(tried > 0, "{name} has no inputs");
        }
    }
}
