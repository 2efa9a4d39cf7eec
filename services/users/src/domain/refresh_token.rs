use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::error::Error;

const BYTES: usize = 32;

/// A refresh token as its bearer holds it: 256 random bits in base64url.
pub(crate) struct RefreshToken(Zeroizing<String>);

impl RefreshToken {
    pub(crate) fn generate() -> Result<Self, Error> {
        let mut secret = Zeroizing::new([0; BYTES]);
        aws_lc_rs::rand::fill(secret.as_mut_slice()).map_err(|_| Error::NoRandomness)?;
        Ok(Self(Zeroizing::new(
            URL_SAFE_NO_PAD.encode(secret.as_slice()),
        )))
    }

    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }

    /// For the answer that hands it over.
    pub(crate) fn reveal(&self) -> String {
        (*self.0).clone()
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken")
    }
}

/// What is kept of a refresh token: its SHA-256. The token has 256 bits of its own, so neither
/// salt nor a slow hash would add anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenHash(String);

impl TokenHash {
    /// Of what a client sent. `None`: it cannot be a token of ours.
    pub(crate) fn of_given(given: &str) -> Option<Self> {
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.decode(given).ok()?);
        (secret.len() == BYTES).then(|| Self::of(given))
    }

    fn of(token: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes())))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_not_what_is_held() {
        let token = RefreshToken::generate().unwrap();
        let held = token.reveal();
        assert_eq!(held.len(), 43);
        assert_eq!(TokenHash::of_given(&held), Some(token.hash()));
        assert_ne!(token.hash().as_str(), held);
        assert_ne!(RefreshToken::generate().unwrap().reveal(), held);
        assert_eq!(format!("{token:?}"), "RefreshToken");
    }

    #[test]
    fn what_cannot_be_a_token_is_told_by_its_form() {
        let huge = "A".repeat(1_000_000);
        for given in [
            "",
            "abc",
            "not base64!",
            huge.as_str(),
            &"A".repeat(42),
            &"A".repeat(44),
        ] {
            assert_eq!(TokenHash::of_given(given), None);
        }
    }
}
