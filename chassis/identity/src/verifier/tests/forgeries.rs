//! What nobody of the city has signed.

use super::*;

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
