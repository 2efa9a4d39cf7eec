//! Every answer that the gateway gives by itself: the public error contract.

use app::Problem;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use identity::TokenError;

use crate::framing::Fault;

/// Why a request was not answered by a service.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    MalformedRequest,
    MalformedBody,
    AmbiguousLength,
    TransferCoding,
    InvalidHost,
    InvalidTarget,
    Method,
    Version,
    Expectation,
    TargetTooLong,
    HeadTooLarge,
    BodyTooLarge,
    HeadTimeout,
    BodyTimeout,
    UnknownRoute,
    WrongMethod {
        allow: HeaderValue,
    },
    AmbiguousCredentials,
    MissingToken,
    BadToken(TokenError),
    AdminOnly,
    RateLimited {
        retry_after_seconds: u64,
    },
    TooManyConnections,
    NoInstance,
    UpstreamFailed,
    UpstreamTimeout,
    /// The client went away: nobody reads the answer, the log and the trace do.
    ClientGone,
}

/// What is the same for every refusal of a kind.
struct Kind {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    /// The connection cannot go on: what follows on it cannot be told apart, or is not wanted.
    closes: bool,
}

const fn kind(status: StatusCode, code: &'static str, title: &'static str) -> Kind {
    Kind {
        status,
        code,
        title,
        closes: false,
    }
}

const fn last(status: StatusCode, code: &'static str, title: &'static str) -> Kind {
    Kind {
        status,
        code,
        title,
        closes: true,
    }
}

impl Refusal {
    /// Every code, for counters that start at zero.
    pub(crate) const CODES: &'static [&'static str] = &[
        "malformed_request",
        "malformed_body",
        "ambiguous_length",
        "unsupported_transfer_coding",
        "invalid_host",
        "invalid_target",
        "method_not_implemented",
        "version_not_supported",
        "expectation_failed",
        "target_too_long",
        "head_too_large",
        "body_too_large",
        "head_timeout",
        "body_timeout",
        "unknown_route",
        "method_not_allowed",
        "ambiguous_credentials",
        "missing_token",
        "invalid_token",
        "admin_only",
        "rate_limited",
        "too_many_connections",
        "service_unavailable",
        "bad_gateway",
        "gateway_timeout",
        "client_gone",
    ];

    fn kind(&self) -> Kind {
        use StatusCode as S;
        match self {
            Self::MalformedRequest => last(
                S::BAD_REQUEST,
                "malformed_request",
                "The request cannot be understood",
            ),
            Self::MalformedBody => last(
                S::BAD_REQUEST,
                "malformed_body",
                "The body breaks off or is badly chunked",
            ),
            Self::AmbiguousLength => last(
                S::BAD_REQUEST,
                "ambiguous_length",
                "The length of the body is said twice",
            ),
            Self::TransferCoding => last(
                S::NOT_IMPLEMENTED,
                "unsupported_transfer_coding",
                "The only transfer coding is chunked",
            ),
            Self::InvalidHost => last(
                S::BAD_REQUEST,
                "invalid_host",
                "Exactly one valid Host is needed",
            ),
            Self::InvalidTarget => last(
                S::BAD_REQUEST,
                "invalid_target",
                "The request target is not a path here",
            ),
            Self::Method => last(
                S::NOT_IMPLEMENTED,
                "method_not_implemented",
                "The method is not implemented",
            ),
            Self::Version => last(
                S::HTTP_VERSION_NOT_SUPPORTED,
                "version_not_supported",
                "HTTP/1.1 is spoken here",
            ),
            Self::Expectation => last(
                S::EXPECTATION_FAILED,
                "expectation_failed",
                "The only expectation that can be met is 100-continue",
            ),
            Self::TargetTooLong => last(
                S::URI_TOO_LONG,
                "target_too_long",
                "The request target is too long",
            ),
            Self::HeadTooLarge => last(
                S::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head_too_large",
                "The request's header is too large or has too many lines",
            ),
            Self::BodyTooLarge => last(
                S::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "The request's body is too large",
            ),
            Self::HeadTimeout => last(
                S::REQUEST_TIMEOUT,
                "head_timeout",
                "The request's header took too long",
            ),
            Self::BodyTimeout => last(
                S::REQUEST_TIMEOUT,
                "body_timeout",
                "The request's body took too long",
            ),
            Self::UnknownRoute => kind(S::NOT_FOUND, "unknown_route", "There is nothing here"),
            Self::WrongMethod { .. } => kind(
                S::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "The method is not allowed here",
            ),
            Self::AmbiguousCredentials => kind(
                S::BAD_REQUEST,
                "ambiguous_credentials",
                "Authorization is there more than once or is malformed",
            ),
            Self::MissingToken => kind(S::UNAUTHORIZED, "missing_token", "Sign in first"),
            Self::BadToken(_) => kind(S::UNAUTHORIZED, "invalid_token", "The token is not valid"),
            Self::AdminOnly => kind(S::FORBIDDEN, "admin_only", "Only an admin may do this"),
            Self::RateLimited { .. } => {
                kind(S::TOO_MANY_REQUESTS, "rate_limited", "Too many requests")
            }
            Self::TooManyConnections => last(
                S::SERVICE_UNAVAILABLE,
                "too_many_connections",
                "Too many connections are open",
            ),
            Self::NoInstance => kind(
                S::SERVICE_UNAVAILABLE,
                "service_unavailable",
                "The service is not there at the moment",
            ),
            Self::UpstreamFailed => kind(
                S::BAD_GATEWAY,
                "bad_gateway",
                "The service broke off or answered nonsense",
            ),
            Self::UpstreamTimeout => kind(
                S::GATEWAY_TIMEOUT,
                "gateway_timeout",
                "The service took too long",
            ),
            Self::ClientGone => last(client_gone(), "client_gone", "The client went away"),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.kind().status
    }

    pub(crate) fn code(&self) -> &'static str {
        self.kind().code
    }

    /// Whether the connection ends with this answer.
    pub(crate) fn closes(&self) -> bool {
        self.kind().closes
    }

    /// The answer.
    pub(crate) fn problem(&self) -> Problem {
        let kind = self.kind();
        let problem = Problem::new(kind.status, kind.code, kind.title);
        let challenge = HeaderValue::from_static;
        match self {
            Self::WrongMethod { allow } => problem.header(ALLOW, allow.clone()),
            Self::MissingToken => {
                // Without credentials, no error code (RFC 6750, 3.1).
                problem.header(WWW_AUTHENTICATE, challenge("Bearer realm=\"citywatch\""))
            }
            Self::BadToken(error) => problem.detail(error.to_string()).header(
                WWW_AUTHENTICATE,
                challenge("Bearer realm=\"citywatch\", error=\"invalid_token\""),
            ),
            Self::AdminOnly => problem.header(
                WWW_AUTHENTICATE,
                challenge("Bearer realm=\"citywatch\", error=\"insufficient_scope\""),
            ),
            Self::AmbiguousCredentials => problem.header(
                WWW_AUTHENTICATE,
                challenge("Bearer realm=\"citywatch\", error=\"invalid_request\""),
            ),
            Self::RateLimited {
                retry_after_seconds,
            } => problem.header(RETRY_AFTER, HeaderValue::from(*retry_after_seconds)),
            Self::NoInstance | Self::TooManyConnections => {
                problem.header(RETRY_AFTER, HeaderValue::from(1))
            }
            _ => problem,
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::AmbiguousLength => Self::AmbiguousLength,
            Fault::TransferCoding => Self::TransferCoding,
        }
    }
}

/// 499, the word of nginx's access log for a client that did not wait; never sent.
fn client_gone() -> StatusCode {
    StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Refusal> {
        use Refusal as R;
        vec![
            R::MalformedRequest,
            R::MalformedBody,
            R::AmbiguousLength,
            R::TransferCoding,
            R::InvalidHost,
            R::InvalidTarget,
            R::Method,
            R::Version,
            R::Expectation,
            R::TargetTooLong,
            R::HeadTooLarge,
            R::BodyTooLarge,
            R::HeadTimeout,
            R::BodyTimeout,
            R::UnknownRoute,
            R::WrongMethod {
                allow: HeaderValue::from_static("GET"),
            },
            R::AmbiguousCredentials,
            R::MissingToken,
            R::BadToken(TokenError::Expired),
            R::AdminOnly,
            R::RateLimited {
                retry_after_seconds: 2,
            },
            R::TooManyConnections,
            R::NoInstance,
            R::UpstreamFailed,
            R::UpstreamTimeout,
            R::ClientGone,
        ]
    }

    #[test]
    fn every_code_is_counted_and_stands_for_one_refusal() {
        let mut codes: Vec<_> = all().iter().map(Refusal::code).collect();
        assert_eq!(codes, Refusal::CODES);
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Refusal::CODES.len());
    }

    #[test]
    fn a_refusal_says_what_to_do_next() {
        let header = |refusal: Refusal, name| {
            let problem = refusal.problem();
            let found = problem.headers().iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone())
        };
        let limited = Refusal::RateLimited {
            retry_after_seconds: 2,
        };
        assert_eq!(header(limited, RETRY_AFTER).unwrap(), "2");
        let allow = Refusal::WrongMethod {
            allow: HeaderValue::from_static("GET, HEAD"),
        };
        assert_eq!(header(allow, ALLOW).unwrap(), "GET, HEAD");
        let missing = header(Refusal::MissingToken, WWW_AUTHENTICATE).unwrap();
        assert_eq!(missing, "Bearer realm=\"citywatch\"");
        let bad = header(Refusal::BadToken(TokenError::Expired), WWW_AUTHENTICATE).unwrap();
        assert!(bad.to_str().unwrap().ends_with("error=\"invalid_token\""));
    }
}
