use serde_json::{Value, json};

use crate::client::{PASSWORD, call, log_in, me, metric, post, sign_up, start};

#[tokio::test]
async fn a_member_signs_up_and_is_who_they_said() {
    let service = start().await;
    let answer = sign_up(&service, "  Mina@Example.com ").await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("location"), "/api/users/me");
    assert_eq!(answer.body["email"], "mina@example.com");
    assert_eq!(answer.body["name"], "Mina Kim");
    assert_eq!(answer.body["roles"], json!([]));
    assert!(answer.body.get("password").is_none() && answer.body.get("password_hash").is_none());

    let tokens = log_in(&service, "MINA@example.com", PASSWORD).await;
    let profile = me(&service, &tokens.text("access_token")).await;
    assert_eq!((profile.status.as_u16(), profile.body), (200, answer.body));
    service.stop().await;
}

#[tokio::test]
async fn an_address_is_one_members() {
    let service = start().await;
    assert_eq!(sign_up(&service, "mina@example.com").await.status, 201);
    for taken in ["mina@example.com", "MINA@example.COM", " mina@example.com"] {
        assert_eq!(
            sign_up(&service, taken).await.problem(),
            (409, "email_taken"),
            "{taken}"
        );
    }
    assert_eq!(
        metric(&service, "citywatch_users_sign_ups_total").await,
        1.0
    );
}

#[tokio::test]
async fn of_simultaneous_sign_ups_with_one_address_one_succeeds() {
    let service = start().await;
    let all: Vec<_> = (0..6)
        .map(|_| sign_up(&service, "mina@example.com"))
        .collect();
    let mut statuses: Vec<_> = futures_util::future::join_all(all)
        .await
        .iter()
        .map(|answer| answer.status.as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let service = start().await;
    let good = json!({ "email": "mina@example.com", "password": PASSWORD, "name": "Mina" });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let table = [
        (with("email", json!("mina")), (422, "invalid_email")),
        (
            with("email", json!("a@b\r\nBcc: c@d.example")),
            (422, "invalid_email"),
        ),
        (
            with(
                "email",
                json!(format!("{}@example.com", "a".repeat(10_000))),
            ),
            (422, "invalid_email"),
        ),
        (with("email", json!(null)), (422, "invalid_fields")),
        (with("password", json!("short")), (422, "invalid_password")),
        (
            with("password", json!("x".repeat(129))),
            (422, "invalid_password"),
        ),
        (
            with("password", json!("mina@example.com")),
            (422, "invalid_password"),
        ),
        (
            with("password", json!("aaaaaaaaaaaaaaaa")),
            (422, "invalid_password"),
        ),
        (
            with("password", json!(1_234_567_890)),
            (422, "invalid_fields"),
        ),
        (with("name", json!("")), (422, "invalid_name")),
        (with("name", json!("a\u{0}b")), (422, "invalid_name")),
        (
            with("name", json!("n".repeat(10_000))),
            (422, "invalid_name"),
        ),
        (json!({}), (422, "invalid_fields")),
        (json!([]), (422, "invalid_fields")),
        (
            with("name", json!("n".repeat(200_000))),
            (413, "body_too_large"),
        ),
    ];
    for (body, expected) in table {
        let answer = post(&service, "/api/users", body.clone()).await;
        let shown: String = body.to_string().chars().take(200).collect();
        assert_eq!(answer.problem(), expected, "{shown}");
    }
    let text = service
        .http
        .post(format!("{}/api/users", service.url))
        .body("{}");
    let answer = crate::client::Answer::of(text).await;
    assert_eq!(answer.problem(), (415, "unsupported_media_type"));
    let answer = call(&service, reqwest::Method::PUT, "/api/users", json!({})).await;
    assert_eq!(answer.status, 405);
    assert_eq!(
        metric(&service, "citywatch_users_sign_ups_total").await,
        0.0
    );
}

#[tokio::test]
async fn more_sign_ups_than_can_wait_are_told_to_come_back() {
    let service =
        testing::start::<users::Users>(json!({ "hash_concurrency": 1, "hash_queue": 2 })).await;
    let emails: Vec<_> = (0..24).map(|n| format!("m{n}@example.com")).collect();
    let all = emails.iter().map(|email| sign_up(&service, email));
    let answers = futures_util::future::join_all(all).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    let busy: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status != 201)
        .collect();
    assert!(made >= 3, "one at work and two waiting: {made}");
    assert!(
        !busy.is_empty(),
        "24 at once are more than one at work and two waiting"
    );
    for answer in busy {
        assert_eq!(answer.problem(), (503, "busy"));
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(
        metric(&service, "citywatch_users_password_hash_waiting").await,
        0.0
    );
    let again = sign_up(&service, "later@example.com").await;
    assert_eq!(again.status, 201, "it recovers");
}
