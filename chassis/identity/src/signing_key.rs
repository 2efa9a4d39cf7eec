//! Private keys: made, kept as PEM, used to sign; never shown.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::{Claims, Jwk, KeyError};

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";
/// RFC 7468 section 2: lines of 64 characters.
const PEM_LINE: usize = 64;

/// An Ed25519 private key. Clones share it; `Debug` shows its id alone.
#[derive(Clone)]
pub struct SigningKey {
    inner: Arc<Inner>,
}

struct Inner {
    pair: Ed25519KeyPair,
    /// Kept beside the pair, so that writing it out cannot fail; overwritten when dropped.
    pkcs8: Zeroizing<Vec<u8>>,
    jwk: Jwk,
    kid: String,
    /// The encoded header and the dot after it: the same for every token of this key.
    header: String,
}

impl SigningKey {
    /// A new key from the machine's randomness.
    ///
    /// # Errors
    /// [`KeyError::Generate`] when there is none to be had.
    pub fn generate() -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Generate)?;
        // Version 1, as `openssl genpkey -algorithm ed25519` writes it and every tool reads it.
        let document = pair.to_pkcs8v1().map_err(|_| KeyError::Generate)?;
        let pkcs8 = Zeroizing::new(document.as_ref().to_vec());
        Ok(Self::of(pair, pkcs8))
    }

    /// Reads a PKCS#8 key (version 1 or 2) in PEM form, as [`SigningKey::to_pem`] and OpenSSL
    /// write it. Text before and after the block is passed over (RFC 7468 section 2).
    ///
    /// # Errors
    /// [`KeyError::Pem`] when there is no such block, [`KeyError::Rejected`] when it holds
    /// something else than an Ed25519 key.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let (_, after) = pem.split_once(PEM_BEGIN).ok_or(KeyError::Pem)?;
        let (body, _) = after.split_once(PEM_END).ok_or(KeyError::Pem)?;
        let packed: Zeroizing<String> =
            Zeroizing::new(body.chars().filter(|c| !c.is_ascii_whitespace()).collect());
        let der = STANDARD
            .decode(packed.as_bytes())
            .map_err(|_| KeyError::Pem)?;
        let pkcs8 = Zeroizing::new(der);
        let pair = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| KeyError::Rejected)?;
        Ok(Self::of(pair, pkcs8))
    }

    fn of(pair: Ed25519KeyPair, pkcs8: Zeroizing<Vec<u8>>) -> Self {
        let mut public_key = [0; 32];
        public_key.copy_from_slice(pair.public_key().as_ref());
        let jwk = Jwk::ed25519(&public_key);
        let kid = jwk.kid.clone().unwrap_or_default();
        let header = serde_json::json!({ "alg": "EdDSA", "kid": &kid, "typ": "JWT" }).to_string();
        let header = format!("{}.", URL_SAFE_NO_PAD.encode(header));
        Self {
            inner: Arc::new(Inner {
                pair,
                pkcs8,
                jwk,
                kid,
                header,
            }),
        }
    }

    /// The key as a PKCS#8 PEM block. This is the secret itself: for a file that its service
    /// alone may read, or the service's own store.
    pub fn to_pem(&self) -> String {
        let body = Zeroizing::new(STANDARD.encode(&*self.inner.pkcs8));
        let mut pem = format!("{PEM_BEGIN}\n");
        let mut rest = body.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(PEM_LINE));
            pem.push_str(line);
            pem.push('\n');
            rest = after;
        }
        pem.push_str(PEM_END);
        pem.push('\n');
        pem
    }

    /// The key's id: its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.inner.kid
    }

    /// The public half, as it is published.
    pub fn public_jwk(&self) -> Jwk {
        self.inner.jwk.clone()
    }

    /// The claims as a signed token. The header names this key, whatever `claims.kid` says.
    pub fn sign(&self, claims: &Claims) -> String {
        self.sign_json(&serde_json::json!(claims).to_string())
    }

    /// Signs whatever JSON it is given.
    pub(crate) fn sign_json(&self, payload: &str) -> String {
        let mut token = self.inner.header.clone();
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = self.signature(token.as_bytes());
        token.push('.');
        token.push_str(&signature);
        token
    }

    /// The base64url signature over these bytes.
    pub(crate) fn signature(&self, signed: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.inner.pair.sign(signed))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.inner.kid)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410 section 10.3, version 1 and version 2 of the same key, as OpenSSL writes them.
    const VERSION_1: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
    const VERSION_2: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";

    #[test]
    fn the_standards_keys_are_read() {
        let key = SigningKey::from_pem(VERSION_1).unwrap();
        assert_eq!(key.to_pem(), VERSION_1);
        assert_eq!(SigningKey::from_pem(VERSION_2).unwrap().kid(), key.kid());
        let surrounded = format!("a comment\r\n{}\nmore", VERSION_1.replace('\n', "\r\n"));
        assert_eq!(SigningKey::from_pem(&surrounded).unwrap().kid(), key.kid());
    }

    #[test]
    fn a_generated_key_comes_back_from_its_pem() {
        let key = SigningKey::generate().unwrap();
        let back = SigningKey::from_pem(&key.to_pem()).unwrap();
        assert_eq!(back.public_jwk(), key.public_jwk());
        let claims = Claims::member("m", &[], 0, 1);
        assert_eq!(
            back.sign(&claims),
            key.sign(&claims),
            "Ed25519 is deterministic"
        );
        assert_ne!(SigningKey::generate().unwrap().kid(), key.kid());
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let pem = |body: &str| format!("{PEM_BEGIN}\n{body}\n{PEM_END}\n");
        let table = [
            (String::new(), KeyError::Pem),
            (VERSION_1.replace("END", "DNE"), KeyError::Pem),
            (VERSION_1.replace("PRIVATE", "PUBLIC"), KeyError::Pem),
            (pem("!!!"), KeyError::Pem),
            (pem(""), KeyError::Rejected),
            (pem("MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK"), KeyError::Rejected),
        ];
        for (text, expected) in table {
            assert_eq!(SigningKey::from_pem(&text).err(), Some(expected), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = SigningKey::from_pem(VERSION_1).unwrap();
        let shown = format!("{key:?}");
        assert!(shown.contains(key.kid()), "{shown}");
        assert!(!shown.contains("INTuctv5"), "{shown}");
        assert!(shown.len() < 80, "{shown}");
    }
}
