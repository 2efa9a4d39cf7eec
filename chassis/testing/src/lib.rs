//! A whole service on port 0, as its users meet it: real listeners, a fresh store, real tokens,
//! and a capture of its spans; or its real binary as a process of its own. Nothing is mocked;
//! what a service calls is either the real peer or a small server that the test runs.

#![warn(missing_docs)]
// Only tests use this crate: a failed expectation here is a failed test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod engines;
mod feed;
pub mod openapi;
mod process;
mod published;
mod running;
mod town;
mod traced;

pub use feed::{Feed, Published};
pub use process::{Ended, Process};
pub use running::{Running, Starting};
pub use town::Town;
pub use traced::Traced;

use app::Service;
use serde_json::Value;

/// Starts one service alone in a [`Town`] of its own. `overrides` is a JSON object of settings,
/// common ones and the service's own.
///
/// # Panics
/// The service does not start.
pub async fn start<S: Service>(overrides: Value) -> Running {
    Town::new().start::<S>(overrides).await
}

/// Tries `probe` until it gives a value. How long that takes is nothing to hold a service to: a
/// machine may be busy, and what retries at random may have bad luck.
///
/// # Panics
/// It gave none within a minute.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let limit = std::time::Duration::from_secs(60);
    let tries = async {
        loop {
            if let Some(value) = probe().await {
                return value;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    match tokio::time::timeout(limit, tries).await {
        Ok(value) => value,
        Err(_) => panic!("not within {limit:?}: {what}"),
    }
}

/// A port that was free a moment ago, for who must be told of it before it is listened on.
///
/// # Panics
/// There is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The response is a problem (RFC 9457) of this status and code; its body.
///
/// # Panics
/// It is not.
pub async fn assert_problem(response: reqwest::Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status().as_u16(), status, "{code}");
    let kind = response.headers().get("content-type");
    assert_eq!(kind.unwrap(), "application/problem+json");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["code"], code, "{body}");
    assert_eq!(body["status"], status, "{body}");
    body
}

/// A service's metrics page, in Prometheus text.
async fn metrics(http: &reqwest::Client, admin_url: &str) -> String {
    let page = http.get(format!("{admin_url}/metrics")).send().await;
    let page = page.expect("the admin listener answers");
    page.text().await.expect("text")
}
