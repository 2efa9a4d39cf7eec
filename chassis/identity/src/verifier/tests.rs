//! Every way to be refused, and the few to be let in.

mod forgeries;
mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::{Jwks, SigningKey};

const NOW: u64 = 1_800_000_000;

struct City {
    key: SigningKey,
    catalog: SigningKey,
    members: Verifier,
    /// Verifies calls to `registry`.
    registry: Verifier,
}

fn city() -> City {
    let (key, catalog) = (
        SigningKey::generate().unwrap(),
        SigningKey::generate().unwrap(),
    );
    let keys = KeySet::new();
    // Both kinds in one set: what keeps them apart must not be that they never meet.
    keys.replace(Jwks {
        keys: vec![
            key.public_jwk(),
            catalog.public_jwk().for_service("catalog"),
        ],
    });
    City {
        members: Verifier::members(keys.clone()),
        registry: Verifier::services(keys, "registry"),
        key,
        catalog,
    }
}

fn member() -> Value {
    json!({
        "iss": MEMBER_ISSUER, "sub": "m-1", "aud": MEMBER_AUDIENCE, "iat": NOW, "exp": NOW + 900,
    })
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().unwrap().remove(name);
    claims
}

/// A token with this very header, rightly signed by `key`.
fn token_with_header(key: &SigningKey, header: &str, payload: &str) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = key.signature(signed.as_bytes());
    format!("{signed}.{signature}")
}

fn header(key: &SigningKey) -> Value {
    json!({ "alg": "EdDSA", "typ": "JWT", "kid": key.kid() })
}

#[test]
fn a_good_token_says_who_its_bearer_is() {
    let city = city();
    let token = city.key.sign(&Claims::member("m-1", &["admin"], NOW, 900));
    let claims = city.members.verify_at(&token, NOW).unwrap();
    assert_eq!((claims.sub.as_str(), claims.is_admin()), ("m-1", true));
    assert_eq!(claims.kid, city.key.kid());

    let token = city
        .catalog
        .sign(&Claims::service("catalog", "registry", NOW));
    let claims = city.registry.verify_at(&token, NOW).unwrap();
    assert_eq!((claims.iss.as_str(), claims.is_admin()), ("catalog", false));
}

#[test]
fn what_we_sign_the_reference_implementation_verifies() {
    let city = city();
    let now = unix_now();
    let claims = Claims::member("m-1", &["admin"], now, 900);
    let token = city.key.sign(&claims);
    let x = city.key.public_jwk().x.unwrap();
    let mut rules = jsonwebtoken::Validation::new(Algorithm::EdDSA);
    rules.set_audience(&[MEMBER_AUDIENCE]);
    rules.set_issuer(&[MEMBER_ISSUER]);
    let key = jsonwebtoken::DecodingKey::from_ed_components(&x).unwrap();
    let decoded = jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap();
    assert_eq!(decoded.header.kid.as_deref(), Some(city.key.kid()));
    assert_eq!(decoded.claims, json!(claims));
}

#[test]
fn claims_are_checked_one_by_one() {
    let city = city();
    let late = LEEWAY_SECONDS;
    let table: Vec<(&str, Value, Result<(), TokenError>)> = vec![
        ("as it should be", member(), Ok(())),
        (
            "a claim nobody knows",
            with(member(), "x", json!([1])),
            Ok(()),
        ),
        (
            "exp just passed, within the leeway",
            with(member(), "exp", json!(NOW - late + 1)),
            Ok(()),
        ),
        (
            "expired",
            with(member(), "exp", json!(NOW - late)),
            Err(TokenError::Expired),
        ),
        (
            "expired long ago",
            with(member(), "exp", json!(0)),
            Err(TokenError::Expired),
        ),
        (
            "exp at the end of time",
            with(member(), "exp", json!(u64::MAX)),
            Ok(()),
        ),
        (
            "exp missing",
            without(member(), "exp"),
            Err(TokenError::Malformed),
        ),
        (
            "exp null",
            with(member(), "exp", json!(null)),
            Err(TokenError::Malformed),
        ),
        (
            "exp negative",
            with(member(), "exp", json!(-1)),
            Err(TokenError::Malformed),
        ),
        (
            "exp fractional",
            with(member(), "exp", json!(1e300)),
            Err(TokenError::Malformed),
        ),
        (
            "exp as text",
            with(member(), "exp", json!("9999999999")),
            Err(TokenError::Malformed),
        ),
        (
            "iat a little ahead",
            with(member(), "iat", json!(NOW + late)),
            Ok(()),
        ),
        (
            "iat ahead",
            with(member(), "iat", json!(NOW + late + 1)),
            Err(TokenError::NotYetValid),
        ),
        (
            "iat missing",
            without(member(), "iat"),
            Err(TokenError::Malformed),
        ),
        ("nbf now", with(member(), "nbf", json!(NOW)), Ok(())),
        (
            "nbf ahead",
            with(member(), "nbf", json!(NOW + 60)),
            Err(TokenError::NotYetValid),
        ),
        (
            "nbf as text",
            with(member(), "nbf", json!("soon")),
            Err(TokenError::Malformed),
        ),
        (
            "another audience",
            with(member(), "aud", json!("elsewhere")),
            Err(TokenError::Audience),
        ),
        (
            "audience empty",
            with(member(), "aud", json!("")),
            Err(TokenError::Audience),
        ),
        (
            "audience missing",
            without(member(), "aud"),
            Err(TokenError::Malformed),
        ),
        (
            "audience a list",
            with(member(), "aud", json!(["citywatch"])),
            Err(TokenError::Malformed),
        ),
        (
            "another issuer",
            with(member(), "iss", json!("stranger")),
            Err(TokenError::Issuer),
        ),
        (
            "issuer a service",
            with(member(), "iss", json!("catalog")),
            Err(TokenError::Issuer),
        ),
        (
            "issuer missing",
            without(member(), "iss"),
            Err(TokenError::Malformed),
        ),
        (
            "subject missing",
            without(member(), "sub"),
            Err(TokenError::Malformed),
        ),
        (
            "roles not a list",
            with(member(), "roles", json!("admin")),
            Err(TokenError::Malformed),
        ),
        (
            "roles of numbers",
            with(member(), "roles", json!([1])),
            Err(TokenError::Malformed),
        ),
    ];
    for (name, claims, expected) in table {
        let token = city.key.sign_json(&claims.to_string());
        let verdict = city.members.verify_at(&token, NOW).map(|_| ());
        assert_eq!(verdict, expected, "{name}");
        let own = city
            .members
            .verify_with_at(&mut Cache::new(8), &token, NOW)
            .map(|_| ());
        assert_eq!(own, expected, "{name}, with a cache of one's own");
    }
}

#[test]
fn a_claim_or_header_that_comes_twice_is_refused() {
    let city = city();
    let payload = member().to_string();
    let twice = |name: &str| payload.replacen('{', &format!(r#"{{"{name}":"citywatch","#), 1);
    for name in ["sub", "iss", "aud"] {
        let token = city.key.sign_json(&twice(name));
        assert_eq!(
            city.members.verify_at(&token, NOW),
            Err(TokenError::Malformed),
            "{name}"
        );
    }
    for (name, value) in [
        ("exp", "99999999999"),
        ("iat", "0"),
        ("roles", r#"["admin"]"#),
    ] {
        let once = with(member(), "roles", json!([])).to_string();
        let token = city
            .key
            .sign_json(&once.replacen('{', &format!(r#"{{"{name}":{value},"#), 1));
        assert_eq!(
            city.members.verify_at(&token, NOW),
            Err(TokenError::Malformed),
            "{name}"
        );
    }
    let kid = city.key.kid();
    for doubled in [
        format!(r#"{{"alg":"none","alg":"EdDSA","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"EdDSA","kid":"other","kid":"{kid}"}}"#),
    ] {
        let token = token_with_header(&city.key, &doubled, &payload);
        assert_eq!(
            city.members.verify_at(&token, NOW),
            Err(TokenError::Malformed),
            "{doubled}"
        );
    }
}

#[test]
fn headers_are_read_strictly() {
    let city = city();
    let good = header(&city.key);
    let named = |name: &str, value: Value| with(good.clone(), name, value);
    let table = [
        (good.clone(), Ok(())),
        (without(good.clone(), "typ"), Ok(())),
        (named("typ", json!("jwt")), Ok(())),
        (named("typ", json!("at+jwt")), Err(TokenError::Malformed)),
        (named("typ", json!(7)), Err(TokenError::Malformed)),
        (without(good.clone(), "kid"), Err(TokenError::Malformed)),
        (named("kid", json!(null)), Err(TokenError::Malformed)),
        (named("kid", json!(["a"])), Err(TokenError::Malformed)),
        (named("kid", json!("nobody's")), Err(TokenError::UnknownKey)),
        (named("kid", json!("")), Err(TokenError::UnknownKey)),
        (named("crit", json!(["exp"])), Err(TokenError::Malformed)),
        // A key or an address that the token itself brings along decides nothing.
        (named("jwk", json!({"kty": "OKP"})), Ok(())),
        (named("jku", json!("http://127.0.0.1/keys")), Ok(())),
        (without(good.clone(), "alg"), Err(TokenError::Malformed)),
        (named("alg", json!(null)), Err(TokenError::Malformed)),
        (named("alg", json!("none")), Err(TokenError::Unsigned)),
        (named("alg", json!("nOnE")), Err(TokenError::Unsigned)),
        (named("alg", json!("HS256")), Err(TokenError::Algorithm)),
        (named("alg", json!("RS256")), Err(TokenError::Algorithm)),
        (named("alg", json!("eddsa")), Err(TokenError::Algorithm)),
        (
            json!(["EdDSA", "JWT", city.key.kid(), null]),
            Err(TokenError::Malformed),
        ),
        (json!("EdDSA"), Err(TokenError::Malformed)),
    ];
    for (header, expected) in table {
        let token = token_with_header(&city.key, &header.to_string(), &member().to_string());
        assert_eq!(
            city.members.verify_at(&token, NOW).map(|_| ()),
            expected,
            "{header}"
        );
    }
}

#[test]
fn a_payload_that_is_no_object_is_refused() {
    let city = city();
    let as_array = json!([
        MEMBER_ISSUER,
        "m-1",
        MEMBER_AUDIENCE,
        NOW + 900,
        NOW,
        null,
        []
    ]);
    for payload in [
        as_array.to_string(),
        "null".into(),
        String::new(),
        "{".into(),
        "\u{feff}{}".into(),
    ] {
        let token = city.key.sign_json(&payload);
        assert_eq!(
            city.members.verify_at(&token, NOW),
            Err(TokenError::Malformed),
            "{payload:?}"
        );
    }
}

#[test]
fn codes_are_distinct() {
    let codes: std::collections::BTreeSet<_> = TokenError::ALL.iter().map(|e| e.code()).collect();
    assert_eq!(codes.len(), TokenError::ALL.len());
}
