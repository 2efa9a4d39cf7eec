//! What can go wrong, as clients see it: one stable code each.

use app::{Problem, with_causes};
use axum::http::{HeaderValue, StatusCode, header};
use events::PublishError;
use stores::sql::StoreError;
use thiserror::Error;

/// Every way for a request to fail here.
#[derive(Debug, Error)]
pub(crate) enum Error {
    #[error("the e-mail address {0}")]
    InvalidEmail(&'static str),
    #[error("the name {0}")]
    InvalidName(&'static str),
    #[error("the password {0}")]
    InvalidPassword(&'static str),
    #[error("a member with this e-mail address exists")]
    EmailTaken,
    /// The same whether the address or the password is wrong.
    #[error("e-mail address or password is wrong")]
    InvalidCredentials,
    #[error("the refresh token is unknown, expired or revoked")]
    InvalidRefreshToken,
    #[error("the refresh token was used before; its session has ended")]
    RefreshTokenReused,
    #[error("the member does not exist any more")]
    UnknownMember,
    #[error("too many passwords are waiting to be checked")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Injected(#[from] faults::Injected),
    #[error("nobody could be told")]
    Publish(#[from] PublishError),
    #[error("a password could not be hashed")]
    Hash(#[from] argon2::password_hash::Error),
    #[error("a signing key is unusable")]
    Key(#[from] identity::KeyError),
    #[error("the machine gives no randomness")]
    NoRandomness,
    #[error("the store holds a row that cannot be: {0}")]
    Corrupt(&'static str),
    #[error("a thread for hashing died")]
    HashThread(#[from] tokio::task::JoinError),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let error = match error {
            Error::Injected(injected) => return injected.into(),
            Error::Publish(PublishError::Store(cause)) => Error::Store(cause),
            error => error,
        };
        let problem =
            |status, code, title| Self::new(status, code, title).detail(error.to_string());
        match &error {
            Error::InvalidEmail(_) => problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_email",
                "Invalid e-mail address",
            ),
            Error::InvalidName(_) => problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_name",
                "Invalid name",
            ),
            Error::InvalidPassword(_) => problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_password",
                "Invalid password",
            ),
            Error::EmailTaken => problem(
                StatusCode::CONFLICT,
                "email_taken",
                "E-mail address is taken",
            ),
            Error::InvalidCredentials => challenge(problem(
                StatusCode::UNAUTHORIZED,
                "invalid_credentials",
                "Log-in failed",
            )),
            Error::InvalidRefreshToken => challenge(problem(
                StatusCode::UNAUTHORIZED,
                "invalid_refresh_token",
                "Refresh failed",
            )),
            Error::RefreshTokenReused => challenge(problem(
                StatusCode::UNAUTHORIZED,
                "refresh_token_reused",
                "Refresh failed",
            )),
            Error::UnknownMember => {
                problem(StatusCode::NOT_FOUND, "unknown_member", "Unknown member")
            }
            Error::Busy => busy().detail(error.to_string()),
            Error::Store(cause) if cause.is_busy() => {
                tracing::warn!(error = %cause, "store is busy");
                busy()
            }
            Error::Store(_)
            | Error::Publish(_)
            | Error::Injected(_)
            | Error::Hash(_)
            | Error::Key(_)
            | Error::NoRandomness
            | Error::Corrupt(_)
            | Error::HashThread(_) => Self::internal(with_causes(&error)),
        }
    }
}

fn busy() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too busy just now")
        .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

/// A 401 names the scheme that would be accepted (RFC 9110 section 15.5.2).
fn challenge(problem: Problem) -> Problem {
    problem.header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}
