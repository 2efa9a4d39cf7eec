//! What a context travels in: HTTP headers and event attributes.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::collections::BTreeMap;

/// Something a context can be read from. Keys are lowercase.
pub trait Carrier {
    /// Calls `each` with every value of `key` that is visible ASCII, in order.
    fn values(&self, key: &str, each: &mut dyn FnMut(&str));
}

/// Something a context can be written to.
pub trait CarrierMut {
    /// Replaces the value of `key`.
    fn set(&mut self, key: &'static str, value: &str);
}

impl Carrier for HeaderMap {
    fn values(&self, key: &str, each: &mut dyn FnMut(&str)) {
        for value in self.get_all(key) {
            // A value that is not text still counts as one: it must not be skipped over.
            each(value.to_str().unwrap_or("\0"));
        }
    }
}

impl CarrierMut for HeaderMap {
    fn set(&mut self, key: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.insert(HeaderName::from_static(key), value);
        }
    }
}

impl Carrier for BTreeMap<String, String> {
    fn values(&self, key: &str, each: &mut dyn FnMut(&str)) {
        if let Some(value) = self.get(key) {
            each(value);
        }
    }
}

impl CarrierMut for BTreeMap<String, String> {
    fn set(&mut self, key: &'static str, value: &str) {
        self.insert(key.to_owned(), value.to_owned());
    }
}
