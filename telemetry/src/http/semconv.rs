//! The closed sets behind HTTP attributes and labels.

/// `url.scheme`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) const ALL: [Scheme; 2] = [Scheme::Http, Scheme::Https];

    #[inline]
    pub(crate) fn of(scheme: &str) -> Scheme {
        if scheme == "http" {
            return Scheme::Http;
        }
        Scheme::in_any_case(scheme)
    }

    #[inline(never)]
    pub(crate) fn of_uri(scheme: &http::uri::Scheme) -> Scheme {
        Scheme::of(scheme.as_str())
    }

    #[inline(never)]
    fn in_any_case(scheme: &str) -> Scheme {
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
    fn status_codes_are_three_digits() {
        assert_eq!(&digits(503), b"503");
        assert_eq!(&digits(999), b"999");
    }
}
