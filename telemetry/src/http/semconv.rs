//! The closed sets behind HTTP attributes and labels.

/// `http.request.method`: the methods that are known, and one for all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
    Query,
    Other,
}

impl Method {
    pub(crate) const ALL: [Method; 11] = [
        Method::Get,
        Method::Head,
        Method::Post,
        Method::Put,
        Method::Delete,
        Method::Connect,
        Method::Options,
        Method::Trace,
        Method::Patch,
        Method::Query,
        Method::Other,
    ];

    pub(crate) fn of(method: &http::Method) -> Method {
        match *method {
            http::Method::GET => Method::Get,
            http::Method::POST => Method::Post,
            http::Method::PUT => Method::Put,
            http::Method::DELETE => Method::Delete,
            http::Method::HEAD => Method::Head,
            http::Method::PATCH => Method::Patch,
            http::Method::OPTIONS => Method::Options,
            http::Method::CONNECT => Method::Connect,
            http::Method::TRACE => Method::Trace,
            _ if method.as_str() == "QUERY" => Method::Query,
            _ => Method::Other,
        }
    }

    /// A set of methods, one bit each.
    pub(crate) fn set(of: Option<&[String]>) -> u16 {
        let known = |method: &Method| {
            of.is_none_or(|names| names.iter().any(|name| name == method.as_str()))
        };
        let known = Method::ALL.iter().filter(|method| known(method));
        known.fold(0, |set, method| set | 1 << *method as u16)
    }

    /// The method if it is in the set.
    pub(crate) const fn within(self, set: u16) -> Method {
        if set & 1 << self as u16 == 0 {
            Method::Other
        } else {
            self
        }
    }

    /// The attribute's value.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Connect => "CONNECT",
            Method::Options => "OPTIONS",
            Method::Trace => "TRACE",
            Method::Patch => "PATCH",
            Method::Query => "QUERY",
            Method::Other => "_OTHER",
        }
    }

    /// The method in a span's name, where an unknown one is `HTTP`.
    pub(crate) const fn in_name(self) -> &'static str {
        match self {
            Method::Other => "HTTP",
            known => known.as_str(),
        }
    }
}

/// `url.scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) const ALL: [Scheme; 2] = [Scheme::Http, Scheme::Https];

    pub(crate) fn of(scheme: &str) -> Scheme {
        if scheme.eq_ignore_ascii_case("https") {
            Scheme::Https
        } else {
            Scheme::Http
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }
    }

    pub(crate) const fn port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// `network.protocol.version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Version {
    Http10,
    Http11,
    Http2,
    Http3,
}

impl Version {
    pub(crate) const ALL: [Version; 4] = [
        Version::Http10,
        Version::Http11,
        Version::Http2,
        Version::Http3,
    ];

    pub(crate) fn of(version: http::Version) -> Version {
        match version {
            http::Version::HTTP_09 | http::Version::HTTP_10 => Version::Http10,
            http::Version::HTTP_2 => Version::Http2,
            http::Version::HTTP_3 => Version::Http3,
            _ => Version::Http11,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Version::Http10 => "1.0",
            Version::Http11 => "1.1",
            Version::Http2 => "2",
            Version::Http3 => "3",
        }
    }
}

/// A status code as text, for `error.type`.
pub(crate) fn digits(status: u16) -> [u8; 3] {
    let digit = |place: u16| b'0' + u8::try_from(status / place % 10).unwrap_or(0);
    [digit(100), digit(10), digit(1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_methods_are_one() {
        for (index, method) in Method::ALL.iter().enumerate() {
            assert_eq!(*method as usize, index);
        }
        assert_eq!(Method::of(&http::Method::PATCH), Method::Patch);
        for name in ["get", "EVIL", "_OTHER", "QUERYX"] {
            let method = http::Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(Method::of(&method), Method::Other, "{name}");
        }
        assert_eq!(Method::Other.in_name(), "HTTP");
    }

    #[test]
    fn status_codes_are_three_digits() {
        assert_eq!(&digits(503), b"503");
        assert_eq!(&digits(999), b"999");
    }
}
