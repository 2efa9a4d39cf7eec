use identity::{Jwks, KeySet, Verifier};

use crate::client::{Answer, member, start};

#[tokio::test]
async fn anyone_can_verify_a_token_with_the_published_keys() {
    let service = start().await;
    let token = member(&service, "mina@example.com")
        .await
        .text("access_token");
    let url = format!("{}/.well-known/jwks.json", service.url);
    let answer = Answer::of(service.http.get(url)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "public, max-age=60");
    let listed = answer.body["keys"].as_array().unwrap();
    assert_eq!(
        listed.len(),
        2,
        "one signs, one is published before it does"
    );
    for key in listed {
        assert!(key.get("d").is_none(), "the private half stays inside");
        assert_eq!(
            (&key["kty"], &key["crv"], &key["use"]),
            (&"OKP".into(), &"Ed25519".into(), &"sig".into())
        );
    }
    let keys = KeySet::new();
    keys.replace(serde_json::from_value::<Jwks>(answer.body).unwrap());
    let claims = Verifier::members(keys).verify(&token).unwrap();
    assert_eq!(claims.exp - claims.iat, 900);
}
