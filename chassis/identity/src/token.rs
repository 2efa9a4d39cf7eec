//! The strict reading of a token's text: what is not exactly ours is refused before any
//! cryptography.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::TokenError;

/// The longest token that is looked at. Ours have some 400 bytes.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// A token taken apart; nothing in it is believed yet.
pub(crate) struct Parts<'a> {
    /// Header, dot, payload: what the signature is over.
    pub(crate) signed: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) kid: String,
}

/// The members of a header that decide something. Serde refuses a member that comes twice.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow, default)]
    typ: Option<Cow<'a, str>>,
    #[serde(default)]
    kid: Option<String>,
    /// Names extensions that must be understood (RFC 7515 section 4.1.11); we understand none.
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

impl<'a> Parts<'a> {
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        let header = decode_object(header)?;
        let header: Header<'_> =
            serde_json::from_slice(&header).map_err(|_| TokenError::Malformed)?;
        if header.alg.eq_ignore_ascii_case("none") || signature.is_empty() {
            return Err(TokenError::Unsigned);
        }
        if header.alg != "EdDSA" {
            return Err(TokenError::Algorithm);
        }
        let typ_is_ours = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        if !typ_is_ours || header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        let kid = header.kid.ok_or(TokenError::Malformed)?;
        Ok(Self {
            signed,
            payload,
            signature,
            kid,
        })
    }

    /// The claims as they stand there.
    pub(crate) fn claims(&self) -> Result<RawClaims, TokenError> {
        let payload = decode_object(self.payload)?;
        serde_json::from_slice(&payload).map_err(|_| TokenError::Malformed)
    }
}

/// The claims that we read; each at most once, each of exactly this type. Others are ignored, as
/// RFC 7519 section 4 asks.
#[derive(Deserialize)]
pub(crate) struct RawClaims {
    pub(crate) iss: String,
    pub(crate) sub: String,
    pub(crate) aud: String,
    pub(crate) exp: u64,
    pub(crate) iat: u64,
    #[serde(default)]
    pub(crate) nbf: Option<u64>,
    #[serde(default)]
    pub(crate) roles: Vec<String>,
}

/// Decodes base64url without padding; the result must look like a JSON object, because serde
/// would read a struct from an array, too.
fn decode_object(part: &str) -> Result<Vec<u8>, TokenError> {
    let decoded = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| TokenError::Malformed)?;
    if decoded.first() == Some(&b'{') {
        Ok(decoded)
    } else {
        Err(TokenError::Malformed)
    }
}
