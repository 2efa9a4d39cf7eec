//! Who calls: extractors that verify the bearer token and reject with a [`Problem`].
//!
//! The gateway has verified already; each service verifies again, so that a hole in one place
//! opens nothing.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::{HeaderValue, StatusCode, header, request::Parts};
use identity::{Claims, TokenError, Verifier};

use crate::{AuthKeys, Problem};

/// A member, by a token that the users service signed.
pub struct Member(pub Arc<Claims>);

/// A member with the role `admin`.
pub struct Admin(pub Arc<Claims>);

/// Another service, by its own token for this one.
pub struct ServiceCaller(pub Arc<Claims>);

impl ServiceCaller {
    /// The calling service, if it is one of these: each inner route lists its callers.
    ///
    /// # Errors
    /// 403 `forbidden` for any other.
    pub fn one_of(&self, callers: &[&str]) -> Result<&str, Problem> {
        if callers.contains(&self.0.iss.as_str()) {
            return Ok(&self.0.iss);
        }
        Err(forbidden("this route is not for the calling service"))
    }
}

/// Whoever holds the operator token.
pub struct Operator;

impl<S: Sync> FromRequestParts<S> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        verify(parts, AuthKeys::members).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let claims = verify(parts, AuthKeys::members)?;
        if claims.is_admin() {
            Ok(Self(claims))
        } else {
            Err(forbidden("this needs the role admin"))
        }
    }
}

impl<S: Sync> FromRequestParts<S> for ServiceCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        verify(parts, AuthKeys::services).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if keys(parts)?.is_operator(bearer(parts)?) {
            return Ok(Self);
        }
        Err(unauthorized(
            "invalid_token",
            "this is not the operator token",
        ))
    }
}

/// 403 `forbidden`: the caller is known and may not do this.
#[must_use]
pub fn forbidden(detail: &'static str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed").detail(detail)
}

/// 401 for a token that was refused, with the challenge of RFC 6750.
#[must_use]
pub fn refused(error: &TokenError) -> Problem {
    unauthorized(error.code(), error.to_string())
}

/// 401 `missing_token`: no `Authorization: Bearer` header was sent.
#[must_use]
pub fn missing() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "missing_token",
        "Authentication needed",
    )
    .detail("send `Authorization: Bearer <access token>`")
    .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
}

fn unauthorized(code: &'static str, detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, "Authentication failed")
        .detail(detail)
        .header(
            header::WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer error=\"invalid_token\""),
        )
}

fn keys(parts: &Parts) -> Result<&AuthKeys, Problem> {
    parts
        .extensions
        .get::<AuthKeys>()
        .ok_or_else(|| Problem::internal("the router runs without AuthKeys"))
}

fn bearer(parts: &Parts) -> Result<&str, Problem> {
    let value = parts
        .headers
        .get(header::AUTHORIZATION)
        .ok_or_else(missing)?;
    let text = value
        .to_str()
        .map_err(|_| refused(&TokenError::Malformed))?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(missing()),
    }
}

fn verify(parts: &Parts, which: impl Fn(&AuthKeys) -> &Verifier) -> Result<Arc<Claims>, Problem> {
    let token = bearer(parts)?;
    which(keys(parts)?)
        .verify(token)
        .map_err(|error| refused(&error))
}
