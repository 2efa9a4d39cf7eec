//! Why a token or a key is refused.

use thiserror::Error;

/// Why a token was refused.
///
/// The text is for logs; [`TokenError::code`] is the stable word for clients and metrics. None of
/// them says anything about the key or the claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Longer than [`crate::MAX_TOKEN_BYTES`]; not even parsed.
    #[error("the token is longer than {} bytes", crate::MAX_TOKEN_BYTES)]
    TooLarge,
    /// Not three base64url parts, no JSON object, a claim missing, twice, or of the wrong type.
    #[error("the token is malformed")]
    Malformed,
    /// `alg` is `none`, or the signature is empty.
    #[error("the token is not signed")]
    Unsigned,
    /// Signed by another algorithm than `EdDSA`.
    #[error("the token's algorithm is not EdDSA")]
    Algorithm,
    /// Signed by a key that is not in the set.
    #[error("the token names an unknown key")]
    UnknownKey,
    /// The signature is not of that key over these bytes.
    #[error("the token's signature is wrong")]
    Signature,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` lies in the future.
    #[error("the token is not yet valid")]
    NotYetValid,
    /// Meant for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// From another issuer, or signed by a key that is not the issuer's.
    #[error("the token is from another issuer")]
    Issuer,
    /// A service token that lives longer than [`crate::SERVICE_TOKEN_SECONDS`].
    #[error("the token lives too long")]
    Lifetime,
}

impl TokenError {
    /// Every error, for those who keep a counter a code.
    pub const ALL: [Self; 11] = [
        Self::TooLarge,
        Self::Malformed,
        Self::Unsigned,
        Self::Algorithm,
        Self::UnknownKey,
        Self::Signature,
        Self::Expired,
        Self::NotYetValid,
        Self::Audience,
        Self::Issuer,
        Self::Lifetime,
    ];

    /// The stable code: what a client may act on, and a closed set of label values.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "token_too_large",
            Self::Malformed => "token_malformed",
            Self::Unsigned => "token_unsigned",
            Self::Algorithm => "token_algorithm",
            Self::UnknownKey => "token_unknown_key",
            Self::Signature => "token_signature",
            Self::Expired => "token_expired",
            Self::NotYetValid => "token_not_yet_valid",
            Self::Audience => "token_audience",
            Self::Issuer => "token_issuer",
            Self::Lifetime => "token_lifetime",
        }
    }
}

/// Why a signing key could not be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The machine gave no randomness.
    #[error("no key could be generated")]
    Generate,
    /// Not a PEM block `PRIVATE KEY`.
    #[error("not a PKCS#8 private key in PEM form")]
    Pem,
    /// Not an Ed25519 key, or its two halves do not belong together.
    #[error("not an Ed25519 key in PKCS#8 form")]
    Rejected,
}
