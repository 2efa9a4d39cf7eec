//! Lists of pairs in variables: `key=value,key=value`, in the form of
//! [W3C Baggage](https://www.w3.org/TR/baggage/#header-content) without properties.

use crate::context::Baggage;

/// The pairs, percent-decoded. None if an entry has no key or no `=`.
pub(super) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let entries = text.split(',').map(str::trim);
    entries
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let (key, value) = entry.split_once('=')?;
            let key = Baggage::decode(key.trim());
            (!key.is_empty()).then(|| (key, Baggage::decode(value.trim())))
        })
        .collect()
}
