//! Public keys as they are published: JSON Web Key Sets (RFC 7517) of Ed25519 keys (RFC 8037).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// A set of public keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwks {
    /// The keys; those of other kinds than Ed25519 may be among them and are passed over.
    pub keys: Vec<Jwk>,
}

/// One public key. It has no member for a private half: what is not held cannot leak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// `OKP` for Ed25519.
    pub kty: String,
    /// `Ed25519`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// The public key, base64url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// The id that a token's header names; ours are RFC 7638 thumbprints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// `EdDSA`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// `sig`: for signatures, not for encryption.
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    pub use_: Option<String>,
    /// The one service that may sign with it; absent for the keys of member tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl Jwk {
    /// The published form of an Ed25519 public key, named by its thumbprint.
    pub fn ed25519(public_key: &[u8; 32]) -> Self {
        Self {
            kty: "OKP".to_owned(),
            crv: Some("Ed25519".to_owned()),
            x: Some(URL_SAFE_NO_PAD.encode(public_key)),
            kid: Some(thumbprint(public_key)),
            alg: Some("EdDSA".to_owned()),
            use_: Some("sig".to_owned()),
            service: None,
        }
    }

    /// The same key, bound to a service.
    #[must_use]
    pub fn for_service(mut self, service: &str) -> Self {
        self.service = Some(service.to_owned());
        self
    }

    /// The 32 bytes of the key, if it is an Ed25519 key for signatures.
    pub(crate) fn public_key(&self) -> Option<[u8; 32]> {
        let is_ed25519 = self.kty == "OKP" && self.crv.as_deref() == Some("Ed25519");
        let signs = self
            .use_
            .as_deref()
            .is_none_or(|used_for| used_for == "sig")
            && self
                .alg
                .as_deref()
                .is_none_or(|alg| alg == "EdDSA" || alg == "Ed25519");
        if !is_ed25519 || !signs {
            return None;
        }
        URL_SAFE_NO_PAD
            .decode(self.x.as_deref()?)
            .ok()?
            .try_into()
            .ok()
    }
}

/// The JWK thumbprint of an Ed25519 key: SHA-256 over the required members in lexical order
/// (RFC 7638 section 3, RFC 8037 section 2), base64url.
fn thumbprint(public_key: &[u8; 32]) -> String {
    let x = URL_SAFE_NO_PAD.encode(public_key);
    let required = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, required.as_bytes());
    URL_SAFE_NO_PAD.encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037 appendix A.2 and A.3: the key, and its thumbprint.
    #[test]
    fn the_thumbprint_is_that_of_the_standard() {
        let published = Jwk {
            kty: "OKP".into(),
            crv: Some("Ed25519".into()),
            x: Some("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into()),
            kid: None,
            alg: None,
            use_: None,
            service: None,
        };
        let key = published.public_key().unwrap();
        assert_eq!(
            Jwk::ed25519(&key).kid.unwrap(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn foreign_keys_in_a_set_are_read_and_passed_over() {
        let text = r#"{"keys":[
            {"kty":"RSA","n":"AQAB","e":"AQAB","kid":"rsa"},
            {"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"dh"},
            {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"enc","use":"enc"},
            {"kty":"OKP","crv":"Ed25519","x":"c2hvcnQ","kid":"short"},
            {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"good"}
        ]}"#;
        let set: Jwks = serde_json::from_str(text).unwrap();
        let usable: Vec<_> = set
            .keys
            .iter()
            .filter(|key| key.public_key().is_some())
            .filter_map(|key| key.kid.as_deref())
            .collect();
        assert_eq!(usable, ["good"]);
    }

    #[test]
    fn a_private_half_never_comes_out_again() {
        let text = r#"{"kty":"OKP","crv":"Ed25519","x":"AA","d":"secret"}"#;
        let key: Jwk = serde_json::from_str(text).unwrap();
        assert!(!serde_json::to_string(&key).unwrap().contains("secret"));
    }
}
