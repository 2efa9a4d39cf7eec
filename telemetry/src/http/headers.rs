//! Headers as attributes: only those that are named, since any other may hold a secret.

use super::options::OptionsError;
use crate::span::attributes::Attributes;
use crate::span::limits::Limits;
use http::{HeaderMap, HeaderName};
use opentelemetry::{Array, StringValue, Value};

/// The headers of requests or of responses that are recorded.
#[derive(Debug, Default)]
pub(crate) struct Headers(Box<[(HeaderName, String)]>);

impl Headers {
    /// `kind` is `request` or `response`.
    pub(super) fn new(kind: &str, names: &[String]) -> Result<Headers, OptionsError> {
        let mut headers: Vec<(HeaderName, String)> = Vec::with_capacity(names.len());
        for name in names {
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| OptionsError::Header(name.clone()))?;
            if !headers.iter().any(|(known, _)| *known == header) {
                let key = format!("http.{kind}.header.{header}");
                headers.push((header, key));
            }
        }
        Ok(Headers(headers.into()))
    }

    /// Adds those that are there, each as
    /// [a list of its values](https://opentelemetry.io/docs/specs/semconv/registry/attributes/http/).
    #[inline]
    pub(super) fn record(&self, out: &mut Attributes, limits: &Limits, headers: &HeaderMap) {
        if !self.0.is_empty() {
            self.record_some(out, limits, headers);
        }
    }

    #[cold]
    fn record_some(&self, out: &mut Attributes, limits: &Limits, headers: &HeaderMap) {
        for (name, key) in &self.0 {
            let values = headers.get_all(name).iter();
            let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
            let values: Vec<StringValue> = values.map(|value| value.into_owned().into()).collect();
            if !values.is_empty() {
                out.set(limits, key, &Value::Array(Array::String(values)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_any_case_and_each_counts_once() {
        let names = ["X-Request-Id", "x-request-id", "Accept"].map(str::to_owned);
        let headers = Headers::new("request", &names).unwrap();
        let keys: Vec<_> = headers.0.iter().map(|(_, key)| key.as_str()).collect();
        let expected = [
            "http.request.header.x-request-id",
            "http.request.header.accept",
        ];
        assert_eq!(keys, expected);
        let refused = Headers::new("request", &["no name".to_owned()]).unwrap_err();
        assert_eq!(refused, OptionsError::Header("no name".to_owned()));
    }
}
