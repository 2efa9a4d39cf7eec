//! The one binary that people run: raise the city, load it, look at it.
//!
//! It knows every service and is known by none. It holds no domain rule and stores nothing but
//! what a city needs to start: keys, a token, addresses.

mod bank;
mod city;
mod config;
mod data_dir;
mod doctor;
mod events;
mod health;
mod hold;
mod journal;
mod keys;
mod leash;
mod ledger;
mod load;
mod operator;
mod registry;
mod services;
mod settings;
mod terminal;
mod trace;
mod up;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use data_dir::DataDir;
use terminal::{Paint, Screen};

#[derive(Parser, Debug)]
#[command(
    name = "citywatch",
    version,
    about = "A shopping city of small services, and the watch kept over it",
    after_help = "\
Start with `citywatch up`. Every command but `up` and `serve` speaks to the city that runs in the \
data folder. Colours only on a terminal, and never with NO_COLOR set.",
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Up(Box<up::Arguments>),
    Serve(Serve),
    Load(load::Arguments),
    Ledger(ledger::Arguments),
    Trace(trace::Arguments),
    Events(events::Arguments),
    Doctor(doctor::Arguments),
    Settings(settings::Arguments),
    Config(config::Arguments),
    Hold(hold::Hold),
    Release(hold::Release),
    Keys(keys::Arguments),
    Health(health::Arguments),
    #[command(hide = true)]
    Leash(leash::Arguments),
}

/// Run one service, or the acquirer, in this process.
#[derive(Args, Debug)]
struct Serve {
    /// Which one: see `citywatch settings`
    service: String,
    /// End when standard input closes: whoever started this is gone
    #[arg(long)]
    leash: bool,
    /// Settings file [default: citywatch.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Which city is meant.
#[derive(Args, Debug)]
struct DataArgument {
    /// The city's folder [default: $CITYWATCH_CITY__DATA_DIR, else .citywatch]
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,
}

impl DataArgument {
    fn dir(&self) -> Result<DataDir> {
        DataDir::named(self.data.as_deref())
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            Screen::new().note(&format!("{} {error:#}", Paint::stderr().red("error:")));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        // A service makes the runtimes that it wants.
        Command::Serve(serve) if serve.service == bank::NAME => {
            bank::run(serve.leash)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Serve(serve) => {
            let entry = services::find(&serve.service)?;
            (entry.run)(&app::Options {
                leash: serve.leash,
                config: serve.config,
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Settings(arguments) => settings::command(&arguments),
        Command::Keys(arguments) => keys::command(&arguments),
        Command::Leash(arguments) => leash::run(&arguments),
        other => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .context("start the runtime")?;
            runtime.block_on(async {
                match other {
                    Command::Up(arguments) => up::command(*arguments).await,
                    Command::Load(arguments) => load::command(arguments).await,
                    Command::Ledger(arguments) => ledger::command(arguments).await,
                    Command::Trace(arguments) => trace::command(arguments).await,
                    Command::Events(arguments) => events::command(arguments).await,
                    Command::Doctor(arguments) => doctor::command(arguments).await,
                    Command::Config(arguments) => config::command(arguments).await,
                    Command::Hold(arguments) => hold::hold(arguments).await,
                    Command::Release(arguments) => hold::release(arguments).await,
                    Command::Health(arguments) => health::command(arguments).await,
                    Command::Serve(_)
                    | Command::Settings(_)
                    | Command::Keys(_)
                    | Command::Leash(_) => unreachable!("done above"),
                }
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
