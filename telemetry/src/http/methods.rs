//! `http.request.method`: which methods are recorded by name. All others are one, so that nothing
//! a client sends can become a new value.

use super::options::OptionsError;
use crate::metrics::OTHER;
use std::sync::Arc;

/// Those of RFC 9110, PATCH of RFC 5789 and QUERY, which the
/// [convention](https://opentelemetry.io/docs/specs/semconv/http/http-spans/) knows.
const DEFAULT: [&str; 10] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY",
];

/// A place in the list of one service's [`Methods`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Method(u8);

impl Method {
    /// A method that is not in the list.
    pub(crate) const OTHER: Method = Method(0);

    pub(crate) fn index(self) -> u8 {
        self.0
    }
}

/// The methods that a service records by name.
#[derive(Debug)]
pub(crate) struct Methods {
    /// The first stands for all that are not in the list.
    names: Box<[Arc<str>]>,
    overridden: bool,
}

impl Default for Methods {
    fn default() -> Methods {
        Methods {
            names: listed(DEFAULT.into_iter()),
            overridden: false,
        }
    }
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Box<[Arc<str>]> {
    let mut list = vec![Arc::from(OTHER)];
    for name in names {
        if !list.iter().any(|known: &Arc<str>| **known == *name) {
            list.push(Arc::from(name));
        }
    }
    list.into()
}

impl Methods {
    /// More would make too many series.
    pub(crate) const MOST: usize = 31;

    /// `known` replaces the default list as a whole, and is case-sensitive, as the
    /// [convention](https://opentelemetry.io/docs/specs/semconv/http/http-spans/) wants.
    pub(super) fn new(known: Option<&[String]>) -> Result<Methods, OptionsError> {
        let Some(known) = known else {
            return Ok(Methods::default());
        };
        for name in known {
            if http::Method::from_bytes(name.as_bytes()).is_err() {
                return Err(OptionsError::Method(name.clone()));
            }
        }
        let names = listed(known.iter().map(String::as_str));
        if names.len() > Methods::MOST + 1 {
            return Err(OptionsError::Methods(names.len() - 1));
        }
        Ok(Methods {
            names,
            overridden: true,
        })
    }

    /// How many values there are, the one for all others included.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    #[inline]
    pub(crate) fn of(&self, method: &http::Method) -> Method {
        if self.overridden {
            return self.find(method.as_str());
        }
        match *method {
            http::Method::GET => Method(1),
            http::Method::POST => Method(3),
            http::Method::PUT => Method(4),
            http::Method::DELETE => Method(5),
            http::Method::HEAD => Method(2),
            http::Method::PATCH => Method(9),
            http::Method::OPTIONS => Method(7),
            http::Method::CONNECT => Method(6),
            http::Method::TRACE => Method(8),
            _ => self.find(method.as_str()),
        }
    }

    #[cold]
    fn find(&self, name: &str) -> Method {
        // The value for all others is not one of the methods.
        let mut known = self.names.iter().skip(1);
        let at = known.position(|known| **known == *name);
        at.and_then(|at| u8::try_from(at + 1).ok())
            .map_or(Method::OTHER, Method)
    }

    /// The attribute's value.
    pub(crate) fn name(&self, method: Method) -> &Arc<str> {
        &self.names[usize::from(method.0)]
    }

    /// The method in a span's name, where an unknown one is `HTTP`.
    pub(crate) fn in_span_name(&self, method: Method) -> &str {
        match method {
            Method::OTHER => "HTTP",
            known => self.name(known),
        }
    }

    /// The label's value.
    pub(crate) fn label(&self, index: u8) -> Option<Arc<str>> {
        self.names.get(usize::from(index)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(methods: &Methods, name: &str) -> String {
        let method = http::Method::from_bytes(name.as_bytes()).unwrap();
        methods.name(methods.of(&method)).to_string()
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_methods_of_the_convention_are_known_and_all_others_are_one() {
        let methods = Methods::default();
        for name in DEFAULT {
            assert_eq!(of(&methods, name), name);
        }
        for name in ["get", "EVIL", "_OTHER", "QUERYX", "G"] {
            assert_eq!(of(&methods, name), OTHER, "{name}");
        }
        assert_eq!(methods.in_span_name(Method::OTHER), "HTTP");
    }

    #[test]
    fn a_list_replaces_the_default_one() {
        let known = owned(&["PURGE", "GET", "PURGE", "link", "_OTHER"]);
        let methods = Methods::new(Some(&known)).unwrap();
        for (name, recorded) in [
            ("GET", "GET"),
            ("PURGE", "PURGE"),
            ("link", "link"),
            ("LINK", OTHER),
            ("POST", OTHER),
            ("_OTHER", OTHER),
        ] {
            assert_eq!(of(&methods, name), recorded, "{name}");
        }
        assert_eq!(methods.len(), 4);
        assert_eq!(of(&Methods::new(Some(&[])).unwrap(), "GET"), OTHER);
    }

    #[test]
    fn a_list_that_cannot_be_is_refused() {
        let refused = Methods::new(Some(&owned(&["GET", "NO GO"]))).unwrap_err();
        assert!(matches!(refused, OptionsError::Method(name) if name == "NO GO"));
        let many: Vec<String> = (0..=Methods::MOST).map(|n| format!("M{n}")).collect();
        let refused = Methods::new(Some(&many)).unwrap_err();
        assert!(matches!(refused, OptionsError::Methods(32)));
        assert!(Methods::new(Some(&many[1..])).is_ok());
    }
}
