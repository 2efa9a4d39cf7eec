//! Whether a foreign program is ready: it prints no readiness, but answers for its health.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::Client;

use super::super::board::{Board, Process, Status};

/// Between two questions to a program that starts.
const BETWEEN: Duration = Duration::from_millis(50);
/// A program that is well answers within this time.
const ANSWER: Duration = Duration::from_secs(2);

/// Where to ask, and what to tell the board then.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    /// The process's name on the board.
    pub(crate) process: String,
    pub(crate) address: SocketAddr,
    pub(crate) path: &'static str,
    /// Where its users go.
    pub(crate) public: SocketAddr,
}

pub(crate) fn client() -> Result<Client> {
    Client::builder()
        .no_proxy()
        .timeout(ANSWER)
        .build()
        .context("make an HTTP client")
}

/// Tells the board of every start that came to be ready, for as long as it is polled.
pub(crate) async fn watch(health: Health, board: Board, client: Client) {
    let Health {
        process: name,
        address,
        path,
        public,
    } = health;
    let url = format!("http://{address}{path}");
    let starting = |process: &Process| process.status == Status::Starting;
    let mut processes = board.watch();
    loop {
        let pid = match processes
            .wait_for(|now| {
                now.get(&name)
                    .is_some_and(|it| starting(it) && it.pid.is_some())
            })
            .await
        {
            Ok(now) => now.get(&name).and_then(|process| process.pid),
            Err(_) => return,
        };
        let answer = client.get(&url).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            board.update(&name, |process| {
                // It may have died since, and another may be starting.
                if starting(process) && process.pid == pid {
                    process.status = Status::Ready;
                    process.public = Some(public.to_string());
                    process.admin = Some(address.to_string());
                    process.died = None;
                }
            });
        } else {
            tokio::time::sleep(BETWEEN).await;
        }
    }
}
