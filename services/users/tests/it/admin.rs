use serde_json::json;
use testing::Town;
use users::Users;

use crate::client::{log_in, me, metric, sign_up};

const ADMIN_PASSWORD: &str = "a password for the first admin";

#[tokio::test]
async fn the_first_admin_is_made_once() {
    let town = Town::new();
    let overrides = json!({ "first_admin_password": ADMIN_PASSWORD });
    let service = town.start::<Users>(overrides.clone()).await;
    let tokens = log_in(&service, "admin@citywatch.example", ADMIN_PASSWORD).await;
    assert_eq!(tokens.status, 200);
    let profile = me(&service, &tokens.text("access_token")).await.body;
    assert_eq!(profile["roles"], json!(["admin"]));
    service.stop().await;

    let another = json!({ "first_admin_password": "some other password", "first_admin_email": "b@example.com" });
    let service = town.start::<Users>(another).await;
    let profile_again = log_in(&service, "admin@citywatch.example", ADMIN_PASSWORD).await;
    assert_eq!(profile_again.status, 200, "the one there is stays");
    assert_eq!(
        log_in(&service, "b@example.com", "some other password")
            .await
            .status,
        401
    );
    assert_eq!(
        metric(&service, "citywatch_users_sign_ups_total").await,
        0.0
    );
}

#[tokio::test]
async fn without_a_password_there_is_no_admin() {
    let service = crate::client::start().await;
    assert_eq!(
        log_in(&service, "admin@citywatch.example", "").await.status,
        401
    );
    let made = sign_up(&service, "admin@citywatch.example").await;
    assert_eq!(
        (made.status.as_u16(), &made.body["roles"]),
        (201, &json!([]))
    );
}

#[tokio::test]
async fn a_member_who_took_the_admins_address_does_not_become_one() {
    let town = Town::new();
    let service = town.start::<Users>(json!({})).await;
    assert_eq!(
        sign_up(&service, "admin@citywatch.example").await.status,
        201
    );
    service.stop().await;
    let service = town
        .start::<Users>(json!({ "first_admin_password": ADMIN_PASSWORD }))
        .await;
    let tokens = log_in(&service, "admin@citywatch.example", crate::client::PASSWORD).await;
    let profile = me(&service, &tokens.text("access_token")).await.body;
    assert_eq!(profile["roles"], json!([]));
    assert_eq!(
        log_in(&service, "admin@citywatch.example", ADMIN_PASSWORD)
            .await
            .status,
        401
    );
}
