//! What a context travels in: HTTP headers and event attributes.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeMap;

/// Something a context can be read from. Keys are asked for in lowercase.
pub trait Carrier {
    /// Calls `each` with every value of `key`, in order.
    fn values<'a>(&'a self, key: &str, each: &mut dyn FnMut(&'a [u8]));

    /// Calls `each` with every key and value: some formats spread baggage over keys that nobody
    /// knows beforehand.
    fn entries<'a>(&'a self, each: &mut dyn FnMut(&'a str, &'a [u8]));
}

/// Something a context can be written to.
pub trait CarrierMut {
    /// Replaces the value of `key`.
    fn set(&mut self, key: &'static str, value: &str);

    /// The same for a key that is made up at run time.
    fn set_owned(&mut self, key: String, value: &str);
}

impl Carrier for HeaderMap {
    fn values<'a>(&'a self, key: &str, each: &mut dyn FnMut(&'a [u8])) {
        for value in self.get_all(key) {
            each(value.as_bytes());
        }
    }

    fn entries<'a>(&'a self, each: &mut dyn FnMut(&'a str, &'a [u8])) {
        for (name, value) in self {
            each(name.as_str(), value.as_bytes());
        }
    }
}

impl CarrierMut for HeaderMap {
    fn set(&mut self, key: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.insert(HeaderName::from_static(key), value);
        }
    }

    fn set_owned(&mut self, key: String, value: &str) {
        if let (Ok(key), Ok(value)) = (HeaderName::try_from(key), HeaderValue::from_str(value)) {
            self.insert(key, value);
        }
    }
}

impl Carrier for BTreeMap<String, String> {
    fn values<'a>(&'a self, key: &str, each: &mut dyn FnMut(&'a [u8])) {
        if let Some(value) = self.get(key) {
            each(value.as_bytes());
        }
    }

    fn entries<'a>(&'a self, each: &mut dyn FnMut(&'a str, &'a [u8])) {
        for (key, value) in self {
            each(key, value.as_bytes());
        }
    }
}

impl CarrierMut for BTreeMap<String, String> {
    fn set(&mut self, key: &'static str, value: &str) {
        self.insert(key.to_owned(), value.to_owned());
    }

    fn set_owned(&mut self, key: String, value: &str) {
        self.insert(key, value.to_owned());
    }
}

/// The value of `key` without the white space around it, if there is exactly one.
pub(super) fn only<'a>(carrier: &'a impl Carrier, key: &str) -> Option<&'a [u8]> {
    let mut seen = 0;
    let mut only: &[u8] = &[];
    carrier.values(key, &mut |value| {
        seen += 1;
        only = value;
    });
    (seen == 1).then(|| trim(only))
}

/// Without the optional white space of RFC 7230, section 3.2.3, around it.
pub(super) fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}
