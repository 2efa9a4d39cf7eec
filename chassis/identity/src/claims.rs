//! What a token says about its bearer.

use serde::Serialize;

/// The role of those who run the city.
pub const ADMIN_ROLE: &str = "admin";

/// The claims of a token: to be signed, or verified.
///
/// Times are whole seconds since the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Claims {
    /// Who issued the token: [`crate::MEMBER_ISSUER`], or the name of the calling service.
    pub iss: String,
    /// Whom it speaks of: a member's id, or again the calling service.
    pub sub: String,
    /// For whom it is meant: [`crate::MEMBER_AUDIENCE`], or the name of the called service.
    pub aud: String,
    /// From when on it is worthless.
    pub exp: u64,
    /// When it was issued.
    pub iat: u64,
    /// What the bearer may do beyond being a member.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The key that signed it. Stands in the token's header; empty in claims not yet signed.
    #[serde(skip)]
    pub kid: String,
}

impl Claims {
    /// The claims of a member, issued at `now` for `ttl_seconds`.
    pub fn member(member_id: &str, roles: &[&str], now: u64, ttl_seconds: u64) -> Self {
        Self {
            iss: crate::MEMBER_ISSUER.to_owned(),
            sub: member_id.to_owned(),
            aud: crate::MEMBER_AUDIENCE.to_owned(),
            exp: now.saturating_add(ttl_seconds),
            iat: now,
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            kid: String::new(),
        }
    }

    /// The claims of the service `caller` towards the service `callee`, issued at `now`.
    pub fn service(caller: &str, callee: &str, now: u64) -> Self {
        Self {
            iss: caller.to_owned(),
            sub: caller.to_owned(),
            aud: callee.to_owned(),
            exp: now.saturating_add(crate::SERVICE_TOKEN_SECONDS),
            iat: now,
            roles: Vec::new(),
            kid: String::new(),
        }
    }

    /// Whether the bearer has the role `admin`.
    pub fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role == ADMIN_ROLE)
    }
}
