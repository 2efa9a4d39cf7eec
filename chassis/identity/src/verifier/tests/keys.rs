//! Whose keys are believed, for what and for how long.

use super::*;

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
