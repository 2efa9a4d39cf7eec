use identity::{Claims, SigningKey};

use crate::client::{Answer, me, member, start};

#[tokio::test]
async fn only_a_members_own_good_token_opens_the_profile() {
    let service = start().await;
    let good = member(&service, "mina@example.com")
        .await
        .text("access_token");
    assert_eq!(me(&service, &good).await.status, 200);

    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let stranger = SigningKey::generate().unwrap();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let other_payload = stranger.sign(&Claims::member("someone", &["admin"], now, 900));
    let other_payload = other_payload.split('.').nth(1).unwrap();
    // {"alg":"none"}
    let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
    let table = [
        (
            stranger.sign(&Claims::member("x", &[], now, 900)),
            "token_unknown_key",
        ),
        (
            format!("{header}.{other_payload}.{signature}"),
            "token_signature",
        ),
        (format!("{signed}.{}", "A".repeat(86)), "token_signature"),
        (unsigned, "token_unsigned"),
        ("garbage".to_owned(), "token_malformed"),
        ("a".repeat(5_000), "token_too_large"),
        (
            service.town().service_token("catalog", "users"),
            "token_unknown_key",
        ),
    ];
    for (token, code) in table {
        assert_eq!(me(&service, &token).await.problem(), (401, code));
    }

    let url = format!("{}/api/users/me", service.url);
    let answer = Answer::of(service.http.get(&url)).await;
    assert_eq!(answer.problem(), (401, "missing_token"));
    let answer = Answer::of(service.http.get(&url).basic_auth("mina", Some("x"))).await;
    assert_eq!(answer.problem(), (401, "missing_token"));
}
