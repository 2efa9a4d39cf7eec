//! Member tokens and service tokens: who signs them, who believes them, and which route they open.
//!
//! Every service verifies every token again, with public keys that outlive the service which
//! issued them. This crate does the cryptography and the rules, and nothing else: it never opens
//! a socket, never reads a file, and knows no web framework. Whoever holds a [`KeySet`] feeds it.
//!
//! A token is a JWT (RFC 7519) signed with Ed25519 (`alg` `EdDSA`, RFC 8037). No other algorithm
//! is spoken, so that there is none to be talked into.
#![warn(missing_docs)]

mod access;
mod cache;
mod claims;
mod clock;
mod error;
mod jwks;
mod keyset;
mod secret;
mod service_signer;
mod signing_key;
mod token;
mod verifier;

pub use access::{Access, Refusal};
pub use cache::Cache;
pub use claims::{ADMIN_ROLE, Claims};
pub use error::{KeyError, TokenError};
pub use jwks::{Jwk, Jwks};
pub use keyset::KeySet;
pub use secret::same_secret;
pub use service_signer::{SERVICE_TOKEN_SECONDS, ServiceSigner};
pub use signing_key::SigningKey;
pub use token::MAX_TOKEN_BYTES;
pub use verifier::{Issuer, LEEWAY_SECONDS, Verifier};

/// The `iss` of every member token: the service that signs members in.
pub const MEMBER_ISSUER: &str = "citywatch-users";

/// The `aud` of every member token: the city as a whole.
pub const MEMBER_AUDIENCE: &str = "citywatch";
