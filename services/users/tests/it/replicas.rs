use serde_json::json;
use testing::Town;
use users::Users;

use crate::client::{Answer, PASSWORD, log_in, me, refresh, sign_up};

#[tokio::test]
async fn replicas_share_members_sessions_and_keys() {
    let town = Town::new();
    let (one, other) = tokio::join!(
        town.start::<Users>(json!({})),
        town.start::<Users>(json!({}))
    );
    assert_eq!(sign_up(&one, "mina@example.com").await.status, 201);
    assert_eq!(
        sign_up(&other, "mina@example.com").await.problem(),
        (409, "email_taken")
    );

    let tokens = log_in(&other, "mina@example.com", PASSWORD).await;
    assert_eq!(me(&one, &tokens.text("access_token")).await.status, 200);
    let renewed = refresh(&one, &tokens.text("refresh_token")).await;
    assert_eq!(me(&other, &renewed.text("access_token")).await.status, 200);
    let again = refresh(&other, &tokens.text("refresh_token")).await;
    assert_eq!(again.problem(), (401, "refresh_token_reused"));

    let mut sets = Vec::new();
    for replica in [&one, &other] {
        let url = format!("{}/.well-known/jwks.json", replica.url);
        sets.push(Answer::of(replica.http.get(url)).await.body);
    }
    assert_eq!(sets[0], sets[1]);
}
