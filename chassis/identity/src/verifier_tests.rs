//! Every way to be refused, and the few to be let in.

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
fn forgeries_are_refused() {
    let city = city();
    let stranger = SigningKey::generate().unwrap();
    let good = city.key.sign(&Claims::member("m-1", &[], NOW, 900));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, _) = signed.split_once('.').unwrap();
    let promoted = URL_SAFE_NO_PAD.encode(with(member(), "roles", json!(["admin"])).to_string());

    // The public key as the secret of an HMAC: the classic confusion.
    let x = city.key.public_jwk().x.unwrap();
    let secret = jsonwebtoken::EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(&x).unwrap());
    let mut hmac = jsonwebtoken::Header::new(Algorithm::HS256);
    hmac.kid = Some(city.key.kid().to_owned());
    let confused = jsonwebtoken::encode(&hmac, &member(), &secret).unwrap();

    let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
    flipped[10] ^= 1;
    let flipped = URL_SAFE_NO_PAD.encode(flipped);

    let signed_by_another = token_with_header(
        &stranger,
        &header(&city.key).to_string(),
        &member().to_string(),
    );
    let table = [
        (
            "signed by a stranger's key under our id",
            signed_by_another,
            TokenError::Signature,
        ),
        (
            "signed by a stranger",
            stranger.sign_json(&member().to_string()),
            TokenError::UnknownKey,
        ),
        (
            "claims exchanged",
            format!("{head}.{promoted}.{signature}"),
            TokenError::Signature,
        ),
        (
            "signature off by a bit",
            format!("{signed}.{flipped}"),
            TokenError::Signature,
        ),
        (
            "signature cut short",
            good[..good.len() - 8].to_owned(),
            TokenError::Signature,
        ),
        (
            "signature of zeros",
            format!("{signed}.{}", "A".repeat(86)),
            TokenError::Signature,
        ),
        (
            "signature padded",
            format!("{good}=="),
            TokenError::Signature,
        ),
        ("no signature", format!("{signed}."), TokenError::Unsigned),
        ("HS256 with the public key", confused, TokenError::Algorithm),
    ];
    for (name, token, expected) in table {
        assert_eq!(city.members.verify_at(&token, NOW), Err(expected), "{name}");
    }
    assert!(city.members.verify_at(&good, NOW).is_ok());
}

#[test]
fn no_character_of_a_token_can_be_changed() {
    let city = city();
    let good = city.key.sign(&Claims::member("m-1", &[], NOW, 900));
    for position in 0..good.len() {
        for replacement in [
            "A", "B", "Z", "a", "0", "9", "-", "_", ".", "=", "+", " ", "é",
        ] {
            let mut changed = good.clone();
            changed.replace_range(position..=position, replacement);
            let verdict = city.members.verify_at(&changed, NOW);
            assert_eq!(
                verdict.is_ok(),
                changed == good,
                "{replacement} at {position}"
            );
            let mut longer = good.clone();
            longer.insert_str(position, replacement);
            assert!(
                city.members.verify_at(&longer, NOW).is_err(),
                "{replacement} before {position}"
            );
        }
        assert!(
            city.members.verify_at(&good[..position], NOW).is_err(),
            "cut at {position}"
        );
    }
}

#[test]
fn garbage_is_refused_unread() {
    let city = city();
    let good = city.key.sign(&Claims::member("m-1", &[], NOW, 900));
    let spaced = good.replacen('.', " .", 1);
    for garbage in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "🦀.🦀.🦀",
        "\0",
        "null",
        &spaced,
        &format!("{good}.x"),
    ] {
        assert_eq!(
            city.members.verify_at(garbage, NOW),
            Err(TokenError::Malformed),
            "{garbage:?}"
        );
    }
    let huge = "a".repeat(crate::MAX_TOKEN_BYTES + 1);
    assert_eq!(
        city.members.verify_at(&huge, NOW),
        Err(TokenError::TooLarge)
    );
    let padded = Claims {
        sub: "x".repeat(crate::MAX_TOKEN_BYTES),
        ..Claims::member("", &[], NOW, 9)
    };
    assert_eq!(
        city.members.verify_at(&city.key.sign(&padded), NOW),
        Err(TokenError::TooLarge)
    );
    assert_eq!(
        city.members.signatures_checked(),
        0,
        "not one of them cost a signature check"
    );
}

#[test]
fn a_key_speaks_for_its_own_service_alone() {
    let city = city();
    let at = |key: &SigningKey, claims: &Claims| {
        city.registry.verify_at(&key.sign(claims), NOW).map(|_| ())
    };
    let as_itself = Claims::service("catalog", "registry", NOW);
    assert_eq!(at(&city.catalog, &as_itself), Ok(()));
    assert_eq!(
        at(&city.catalog, &Claims::service("users", "registry", NOW)),
        Err(TokenError::Issuer),
        "in another's name"
    );
    assert_eq!(
        at(&city.catalog, &Claims::service("catalog", "users", NOW)),
        Err(TokenError::Audience),
        "meant for another"
    );
    assert_eq!(
        at(&city.key, &as_itself),
        Err(TokenError::Issuer),
        "with the members' key"
    );
    assert_eq!(
        at(
            &city.catalog,
            &Claims {
                exp: NOW + 61,
                ..as_itself
            }
        ),
        Err(TokenError::Lifetime)
    );
    let member = city
        .catalog
        .sign(&Claims::member("m-1", &["admin"], NOW, 60));
    assert_eq!(
        city.members.verify_at(&member, NOW),
        Err(TokenError::Issuer),
        "a service's key makes no members"
    );
}

#[test]
fn a_signature_is_checked_once_and_the_expiry_every_time() {
    let city = city();
    let token = city.key.sign(&Claims::member("m-1", &[], NOW, 900));
    for second in 0..100 {
        city.members.verify_at(&token, NOW + second).unwrap();
    }
    assert_eq!(city.members.signatures_checked(), 1);
    let end = NOW + 900 + LEEWAY_SECONDS;
    assert!(city.members.verify_at(&token, end - 1).is_ok());
    assert_eq!(
        city.members.verify_at(&token, end),
        Err(TokenError::Expired)
    );

    let mut own = Cache::new(4);
    for second in 0..100 {
        city.members
            .verify_with_at(&mut own, &token, NOW + second)
            .unwrap();
    }
    assert_eq!(city.members.signatures_checked(), 2);
    assert_eq!(
        city.members.verify_with_at(&mut own, &token, end),
        Err(TokenError::Expired)
    );
    assert!(own.is_empty(), "what has expired takes no room");
}

#[test]
fn a_withdrawn_key_is_not_believed_from_the_caches() {
    let city = city();
    let token = city.key.sign(&Claims::member("m-1", &[], NOW, 900));
    let mut own = Cache::new(4);
    city.members.verify_at(&token, NOW).unwrap();
    city.members.verify_with_at(&mut own, &token, NOW).unwrap();

    let next = SigningKey::generate().unwrap();
    city.members.keys().replace(Jwks {
        keys: vec![next.public_jwk()],
    });
    assert_eq!(
        city.members.verify_at(&token, NOW),
        Err(TokenError::UnknownKey)
    );
    assert_eq!(
        city.members.verify_with_at(&mut own, &token, NOW),
        Err(TokenError::UnknownKey)
    );
    let token = next.sign(&Claims::member("m-1", &[], NOW, 900));
    assert!(city.members.verify_at(&token, NOW).is_ok());
}

#[test]
fn the_same_set_again_forgets_nothing() {
    let city = city();
    let token = city.key.sign(&Claims::member("m-1", &[], NOW, 900));
    city.members.verify_at(&token, NOW).unwrap();
    let same = Jwks {
        keys: vec![
            city.key.public_jwk(),
            city.catalog.public_jwk().for_service("catalog"),
        ],
    };
    city.members.keys().replace(same);
    city.members.verify_at(&token, NOW).unwrap();
    assert_eq!(city.members.signatures_checked(), 1);
}

#[test]
fn unknown_keys_poke_once_and_cost_no_signature_check() {
    let city = city();
    let poked = || {
        let mut notified = Box::pin(city.members.keys().unknown_kid().notified());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        notified.as_mut().poll(&mut context).is_ready()
    };
    assert!(!poked(), "nobody has asked for an unknown key yet");
    let stranger = SigningKey::generate().unwrap();
    for n in 0..1_000 {
        let token = stranger.sign(&Claims::member(&n.to_string(), &[], NOW, 900));
        assert_eq!(
            city.members.verify_at(&token, NOW),
            Err(TokenError::UnknownKey)
        );
    }
    assert_eq!(city.members.signatures_checked(), 0);
    assert!(poked());
    assert!(!poked(), "a thousand pokes are one");
}

#[test]
fn threads_may_verify_and_replace_at_once() {
    let city = city();
    let tokens: Vec<_> = (0..50)
        .map(|n| {
            city.key
                .sign(&Claims::member(&n.to_string(), &[], NOW, 900))
        })
        .collect();
    let set = |extra: Option<&SigningKey>| Jwks {
        keys: [Some(&city.key), extra]
            .into_iter()
            .flatten()
            .map(SigningKey::public_jwk)
            .collect(),
    };
    let extra = SigningKey::generate().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (n, token) in tokens.iter().enumerate() {
                    let claims = city.members.verify_at(token, NOW).unwrap();
                    assert_eq!(claims.sub, n.to_string(), "never another's claims");
                }
            });
        }
        for n in 0..20 {
            city.members
                .keys()
                .replace(set((n % 2 == 0).then_some(&extra)));
        }
    });
}

#[test]
fn of_two_keys_with_one_id_the_first_counts() {
    let city = city();
    let thief = SigningKey::generate().unwrap();
    let mut disguised = thief.public_jwk();
    disguised.kid = Some(city.key.kid().to_owned());
    city.members.keys().replace(Jwks {
        keys: vec![city.key.public_jwk(), disguised],
    });
    let token = city.key.sign(&Claims::member("m-1", &[], NOW, 900));
    assert!(city.members.verify_at(&token, NOW).is_ok());
    assert_eq!(city.members.keys().kids().len(), 1);
}

#[test]
fn codes_are_distinct() {
    let codes: std::collections::BTreeSet<_> = TokenError::ALL.iter().map(|e| e.code()).collect();
    assert_eq!(codes.len(), TokenError::ALL.len());
}
