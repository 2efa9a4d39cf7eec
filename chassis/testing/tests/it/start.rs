//! Starts that come to nothing, and services that cannot go on.

use serde_json::json;
use testing::Town;
use tokio::net::TcpListener;

use crate::{example::Example, gate::within};

#[tokio::test]
async fn a_start_that_is_stuck_still_hears_that_it_is_to_stop() {
    let starting = Town::new().begin::<Example>(&json!({"start": "stuck"}));
    within(starting.stop()).await.unwrap();
}

#[tokio::test]
async fn what_prevents_a_start_is_said_with_what_to_change() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for (settings, said) in [
        (
            json!({"start": "failing"}),
            "example cannot start: the store is closed on Sundays".to_owned(),
        ),
        (
            json!({"start": "panicking"}),
            "example cannot start: it panicked: the key broke off".to_owned(),
        ),
        (
            json!({"listen": taken}),
            format!("cannot listen on {taken} (setting `listen`)"),
        ),
        (
            json!({"admin_listen": taken}),
            format!("cannot listen on {taken} (setting `admin_listen`)"),
        ),
        (
            json!({"listen": "nowhere"}),
            "cannot listen on nowhere (setting `listen`)".to_owned(),
        ),
        (
            json!({"log": "app=loudly"}),
            "settings of example: `log`: ".to_owned(),
        ),
        (
            json!({"service_key_file": "/none.pem"}),
            "`service_key_file` /none.pem: ".to_owned(),
        ),
    ] {
        let starting = Town::new().begin::<Example>(&settings);
        let Err(error) = within(starting.ready()).await else {
            panic!("it started with {settings}");
        };
        assert!(error.to_string().contains(&said), "{error}");
    }
}

#[tokio::test]
async fn a_task_that_ends_early_ends_the_service_with_an_error() {
    for (chore, said) in [
        ("ending", "example cannot go on: task `chore` ended early"),
        (
            "panicking",
            "example cannot go on: task `chore` panicked: the broom broke",
        ),
    ] {
        let running = testing::start::<Example>(json!({"chore": chore})).await;
        let error = within(running.ended()).await.unwrap_err();
        assert_eq!(error.to_string(), said);
    }
}
