use std::io::Write as _;

use serde_json::json;

use crate::client::{PASSWORD, log_in, log_out, me, member, metric, post, refresh, sign_up, start};

#[tokio::test]
async fn log_in_gives_what_a_client_needs() {
    let service = start().await;
    let tokens = member(&service, "mina@example.com").await;
    assert_eq!(tokens.body["token_type"], "Bearer");
    assert_eq!(tokens.body["expires_in"], 900);
    assert_eq!(tokens.header("cache-control"), "no-store");
    assert_eq!(me(&service, &tokens.text("access_token")).await.status, 200);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let service = start().await;
    sign_up(&service, "mina@example.com").await;
    let hashed = "citywatch_users_password_hash_seconds_count";
    let mut bodies = Vec::new();
    for (email, password) in [
        ("mina@example.com", "wrong horse battery"),
        ("nobody@example.com", "wrong horse battery"),
        ("nobody@example.com", PASSWORD),
    ] {
        let before = metric(&service, hashed).await;
        let mut answer = log_in(&service, email, password).await;
        assert_eq!(answer.problem(), (401, "invalid_credentials"));
        assert_eq!(
            metric(&service, hashed).await - before,
            1.0,
            "the same work for {email}"
        );
        answer.body.as_object_mut().unwrap().remove("trace_id");
        bodies.push(answer.body);
    }
    assert!(
        bodies.windows(2).all(|pair| pair[0] == pair[1]),
        "{bodies:?}"
    );
    let failed = "citywatch_users_log_ins_total{outcome=\"invalid_credentials\"}";
    assert_eq!(metric(&service, failed).await, 3.0);
}

#[tokio::test]
async fn what_nobody_can_have_is_refused_without_hashing() {
    let service = start().await;
    let hashed = "citywatch_users_password_hash_seconds_count";
    let before = metric(&service, hashed).await;
    let long = "x".repeat(10_000);
    for (email, password) in [
        ("not an address", PASSWORD),
        ("mina@example.com", ""),
        ("mina@example.com", &long),
    ] {
        let answer = log_in(&service, email, password).await;
        assert_eq!(answer.problem(), (401, "invalid_credentials"), "{email}");
    }
    assert_eq!(metric(&service, hashed).await, before);
    let answer = post(
        &service,
        "/api/sessions",
        json!({ "email": "mina@example.com" }),
    )
    .await;
    assert_eq!(answer.problem(), (422, "invalid_fields"));
}

#[tokio::test]
async fn a_refresh_token_is_used_once() {
    let service = start().await;
    let first = member(&service, "mina@example.com")
        .await
        .text("refresh_token");
    let tokens = refresh(&service, &first).await;
    assert_eq!(tokens.status, 200);
    assert_eq!(tokens.header("cache-control"), "no-store");
    assert_eq!(me(&service, &tokens.text("access_token")).await.status, 200);
    let second = tokens.text("refresh_token");
    assert_ne!(first, second);
    assert_eq!(refresh(&service, &second).await.status, 200);
}

#[tokio::test]
async fn a_stolen_refresh_token_ends_the_session_for_both() {
    let service = start().await;
    let stolen = member(&service, "mina@example.com")
        .await
        .text("refresh_token");
    let elsewhere = log_in(&service, "mina@example.com", PASSWORD)
        .await
        .text("refresh_token");
    let thief = refresh(&service, &stolen).await.text("refresh_token");
    let answer = refresh(&service, &stolen).await;
    assert_eq!(answer.problem(), (401, "refresh_token_reused"));
    assert_eq!(
        refresh(&service, &thief).await.problem(),
        (401, "invalid_refresh_token")
    );
    assert_eq!(
        refresh(&service, &elsewhere).await.status,
        200,
        "another session goes on"
    );
    let reused = "citywatch_users_refreshes_total{outcome=\"reused\"}";
    assert_eq!(metric(&service, reused).await, 1.0);
}

#[tokio::test]
async fn of_simultaneous_refreshes_one_succeeds_and_the_session_ends() {
    let service = start().await;
    let token = member(&service, "mina@example.com")
        .await
        .text("refresh_token");
    let all = (0..10).map(|_| refresh(&service, &token));
    let answers = futures_util::future::join_all(all).await;
    let good: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .collect();
    assert_eq!(good.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.problem(), (401, "refresh_token_reused"));
    }
    let successor = good[0].text("refresh_token");
    assert_eq!(
        refresh(&service, &successor).await.problem(),
        (401, "invalid_refresh_token")
    );
}

#[tokio::test]
async fn tokens_that_never_were_are_refused() {
    let service = start().await;
    let access = member(&service, "mina@example.com")
        .await
        .text("access_token");
    let huge = "A".repeat(10_000);
    for token in ["", "garbage", &"A".repeat(43), &access, &huge] {
        assert_eq!(
            refresh(&service, token).await.problem(),
            (401, "invalid_refresh_token")
        );
        assert_eq!(log_out(&service, token).await.status, 204);
    }
}

#[tokio::test]
async fn log_out_ends_the_session() {
    let service = start().await;
    let token = member(&service, "mina@example.com")
        .await
        .text("refresh_token");
    let next = refresh(&service, &token).await.text("refresh_token");
    assert_eq!(log_out(&service, &next).await.status, 204);
    assert_eq!(
        refresh(&service, &next).await.problem(),
        (401, "invalid_refresh_token")
    );
    assert_eq!(
        log_out(&service, &next).await.status,
        204,
        "nothing is left to end"
    );
}

#[tokio::test]
async fn a_client_that_hangs_up_is_logged_out_all_the_same() {
    let service = start().await;
    let token = member(&service, "mina@example.com")
        .await
        .text("refresh_token");
    let body = json!({ "refresh_token": token }).to_string();
    let request = format!(
        "DELETE /api/sessions HTTP/1.1\r\nhost: users\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = std::net::TcpStream::connect(service.address()).unwrap();
    connection.write_all(request.as_bytes()).unwrap();
    drop(connection);
    testing::eventually("the request is served", || async {
        let page = service.metrics().await;
        let ended = page.lines().any(|line| {
            line.starts_with("http_server_request_duration_seconds_count")
                && line.contains("DELETE")
        });
        ended.then_some(())
    })
    .await;
    let answer = testing::eventually("the session has ended", || async {
        let answer = refresh(&service, &token).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn a_member_has_a_bounded_number_of_sessions() {
    let service = testing::start::<users::Users>(json!({ "sessions_per_member": 2 })).await;
    let oldest = member(&service, "mina@example.com")
        .await
        .text("refresh_token");
    let older = log_in(&service, "mina@example.com", PASSWORD)
        .await
        .text("refresh_token");
    log_in(&service, "mina@example.com", PASSWORD).await;
    assert_eq!(
        refresh(&service, &oldest).await.problem(),
        (401, "invalid_refresh_token")
    );
    assert_eq!(refresh(&service, &older).await.status, 200);
}

#[tokio::test]
async fn neither_passwords_nor_tokens_are_kept_in_the_clear() {
    let service = start().await;
    let tokens = member(&service, "mina@example.com").await;
    refresh(&service, &tokens.text("refresh_token")).await;
    let mut kept = Vec::new();
    for file in std::fs::read_dir(service.town().folder()).unwrap() {
        let path = file.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("users.db")
        {
            kept.extend(std::fs::read(path).unwrap());
        }
    }
    let holds = |secret: &str| {
        kept.windows(secret.len())
            .any(|window| window == secret.as_bytes())
    };
    assert!(holds("mina@example.com"), "this is the store");
    assert!(!holds(PASSWORD));
    assert!(!holds(&tokens.text("refresh_token")));
    assert!(!holds(&tokens.text("access_token")));
}
