//! Taking a part of the running city down on purpose, and letting it back: for drills.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::DataArgument;
use crate::terminal::outln;
use crate::up::control::{Request, ask};

/// Take a service of the running city down and keep it down.
#[derive(Args, Debug)]
pub(crate) struct Hold {
    /// A service (users), or one process of it (catalog-2)
    name: String,
    /// Kill it, as a crash would; otherwise it drains and takes its leave
    #[arg(long)]
    crash: bool,
    #[command(flatten)]
    data: DataArgument,
}

/// Let run again what was held, or what died with restarts off.
#[derive(Args, Debug)]
pub(crate) struct Release {
    /// A service (users), or one process of it (catalog-2)
    name: String,
    #[command(flatten)]
    data: DataArgument,
}

pub(crate) async fn hold(arguments: Hold) -> Result<ExitCode> {
    let Hold { name, crash, data } = arguments;
    let held = ask(
        &data.dir()?,
        &Request::Hold {
            name: name.clone(),
            crash,
        },
    )
    .await?;
    outln!(
        "down: {}; `citywatch release {name}` lets it run again",
        held.join(", ")
    );
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn release(arguments: Release) -> Result<ExitCode> {
    let Release { name, data } = arguments;
    let released = ask(&data.dir()?, &Request::Release { name }).await?;
    outln!("ready: {}", released.join(", "));
    Ok(ExitCode::SUCCESS)
}
