//! The binary, killed at each named point on the way out, and what its log gives away.

use notifications::Notifications;
use serde_json::{Value, json};
use testing::{Process, eventually};
use tokio::task::JoinSet;

use crate::city::{ADDRESS, City, Shopper, id, is_sent};
use crate::server::{Mood, Server};

const POINTS: [&str; 6] = [
    "claim.after_commit",
    "claim.before_commit",
    "mail.after_send",
    "mail.before_send",
    "sent.after_commit",
    "sent.before_commit",
];

async fn start(city: &City, server: Option<&Server>) -> Process {
    let mut settings = city.settings(&json!({
        "faults_enabled": true, "send_timeout_ms": 500, "lease_ms": 2_000,
    }));
    if let Some(server) = server {
        settings["sender"] = format!("smtp://{}", server.address).into();
    }
    let program = env!("CARGO_BIN_EXE_citywatch-notifications");
    Process::start(city.town.command::<Notifications>(program, &settings)).await
}

async fn arm(process: &Process, city: &City, point: &str) {
    let fault = json!({ "action": "kill", "lease_ms": 60_000, "count": 1 });
    let url = format!("{}/faults/{point}", process.admin_url);
    let arm = process
        .http
        .put(url)
        .bearer_auth(city.town.operator_token());
    assert_eq!(
        arm.json(&fault).send().await.unwrap().status(),
        200,
        "{point}"
    );
}

#[tokio::test]
async fn every_point_has_a_name() {
    let city = City::open().await;
    let process = start(&city, None).await;
    let request = process.http.get(format!("{}/faults", process.admin_url));
    let answer = request.bearer_auth(city.town.operator_token()).send().await;
    let answer: Value = answer.unwrap().json().await.unwrap();
    let named = answer["points"].as_array().unwrap().iter();
    let named: Vec<_> = named.map(|point| point["name"].as_str().unwrap()).collect();
    for point in POINTS {
        assert!(named.contains(&point), "{point}: {named:?}");
    }
    for producer in ["orders", "payments", "shipping", "users"] {
        let point = format!("{producer}.before_commit");
        assert!(named.contains(&&*point), "{point}: {named:?}");
    }
}

/// It is told once, and sent: once more only if the letter was out and nobody knew.
async fn killed_at(point: &'static str) {
    let city = City::open().await;
    let server = Server::open().await;
    let mut process = start(&city, Some(&server)).await;
    arm(&process, &city, point).await;
    let shopper = Shopper { id: id() };
    city.registers(&shopper);
    eventually("the process is dead", || {
        let is_running = process.is_running();
        async move { (!is_running).then_some(()) }
    })
    .await;
    let process = start(&city, Some(&server)).await;
    let sent = eventually("it is sent", async || {
        let all = city.all(&process.http, &process.url).await;
        assert!(all.len() < 2, "{point}: {all:?}");
        all.into_iter().find(is_sent)
    })
    .await;
    let letters = server.letters();
    // On a busy machine an answer may come too late as well; then there was another attempt.
    let twice = matches!(point, "mail.after_send" | "sent.before_commit");
    let attempts = usize::try_from(sent["attempts"].as_i64().unwrap()).unwrap();
    let expected = 1 + usize::from(twice)..=attempts;
    assert!(expected.contains(&letters.len()), "{point}: {expected:?}");
    let message_id = format!("<{}@citywatch.example>", sent["id"].as_str().unwrap());
    for letter in letters {
        assert_eq!(letter.header("Message-ID"), message_id, "{point}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_it_is_told_once_and_sent() {
    let mut runs = JoinSet::new();
    for point in POINTS {
        if runs.len() == 3 {
            runs.join_next().await.unwrap().unwrap();
        }
        runs.spawn(killed_at(point));
    }
    while let Some(outcome) = runs.join_next().await {
        outcome.unwrap();
    }
}

/// What a mail server says has the address in it; what the log says has not.
#[tokio::test]
async fn no_line_of_the_log_has_an_address() {
    let city = City::open().await;
    let server = Server::open().await;
    let process = start(&city, Some(&server)).await;
    server.will(&[
        Mood::Recipient("450 4.2.0 <{}>: not now"),
        Mood::Recipient("550 5.1.1 <{}>: who is that?"),
    ]);
    let shopper = Shopper { id: id() };
    city.registers(&shopper);
    process
        .line("that it is put off", |line| {
            line.contains("notification put off").then_some(())
        })
        .await;
    process
        .line("that it is given up", |line| {
            line.contains("notification given up").then_some(())
        })
        .await;
    city.confirms(&shopper);
    eventually("the next is sent", async || {
        (server.letters().len() == 1).then_some(())
    })
    .await;
    let said = process.stop().await.said;
    assert!(said.iter().any(|line| line.contains("smtp_550")));
    let told = said.iter().find(|line| line.contains(ADDRESS));
    assert_eq!(told, None);
}

/// The sender that needs no server: a line that says who was told what, and nothing private.
#[tokio::test]
async fn the_log_is_a_sender() {
    let city = City::open().await;
    let process = start(&city, None).await;
    let shopper = Shopper { id: id() };
    city.registers(&shopper);
    let line = process
        .line("of the notification", |line| {
            line.contains("Welcome to Citywatch")
                .then(|| line.to_owned())
        })
        .await;
    assert!(
        line.contains(&shopper.id) && line.contains("welcome"),
        "{line}"
    );
    let said = process.stop().await.said;
    let told = said
        .iter()
        .find(|line| line.contains(ADDRESS) || line.contains("Mina"));
    assert_eq!(told, None);
}
