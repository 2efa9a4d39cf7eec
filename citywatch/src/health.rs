//! Whether a service is well, asked from beside it: for containers, which have no other program to
//! ask with.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use reqwest::Client;

use crate::services::variable;
use crate::up::reachable;

/// Ask a service whether it is ready; fail if it is not.
#[derive(Args, Debug)]
#[command(after_help = "\
Without --url it asks /readyz of the admin listener that CITYWATCH_CITY__ADMIN_LISTEN names, as a \
container's health check does: health check and service have the same environment.")]
pub(crate) struct Arguments {
    /// What to ask; any answer of 200 to 299 is well
    #[arg(long)]
    url: Option<String>,
    /// Longest time for an answer, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2_000)]
    timeout: u64,
}

pub(crate) async fn command(arguments: Arguments) -> Result<ExitCode> {
    let url = match arguments.url {
        Some(url) => url,
        None => readiness(std::env::var(variable("city", "admin_listen")).ok())?,
    };
    let client = Client::builder()
        .no_proxy()
        .timeout(Duration::from_millis(arguments.timeout))
        .build()?;
    let answer = client
        .get(&url)
        .send()
        .await
        .with_context(|| format!("{url} does not answer"))?;
    let status = answer.status();
    if !status.is_success() {
        let said = answer.text().await.unwrap_or_default();
        bail!("{url} answers {status}: {}", said.trim());
    }
    Ok(ExitCode::SUCCESS)
}

fn readiness(admin_listen: Option<String>) -> Result<String> {
    let name = variable("city", "admin_listen");
    let Some(address) = admin_listen else {
        bail!("{name} does not say where to ask; give --url");
    };
    let address: SocketAddr = address
        .parse()
        .with_context(|| format!("{name} is not an address: {address}"))?;
    if address.port() == 0 {
        bail!("{name} is {address}, which is any free port; give --url");
    }
    Ok(format!("http://{}/readyz", reachable(address)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admin_listener_is_asked_from_beside() {
        let asked = |address: &str| readiness(Some(address.to_owned()));
        assert_eq!(
            asked("0.0.0.0:9000").unwrap(),
            "http://127.0.0.1:9000/readyz"
        );
        assert_eq!(asked("[::]:9000").unwrap(), "http://[::1]:9000/readyz");
        assert_eq!(
            asked("10.0.0.7:9000").unwrap(),
            "http://10.0.0.7:9000/readyz"
        );
        for wrong in ["127.0.0.1:0", "nowhere"] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
        assert!(readiness(None).is_err());
    }
}
