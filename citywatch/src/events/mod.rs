//! The half of the city that happens after the answer, in an operator's hands: how far consumers
//! are behind, what they could not take, and having it taken again.

mod dead;
mod lag;
mod rebuild;
mod wire;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::DataArgument;
use crate::load::parse_duration;
use crate::operator::{Away, Services};
use crate::terminal::{Paint, Screen, out, outln};
use dead::Became;
pub(crate) use wire::Consumer;

/// See and mend how events reach those who wait for them.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// Print as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    data: DataArgument,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// How far each consumer is behind, and what is not published yet
    #[command(
        after_help = "Exits with 1 if somebody has stalled, holds dead letters or cannot be asked."
    )]
    Lag {
        /// Only this service
        #[arg(long)]
        service: Option<String>,
    },
    /// Events that a consumer could not take, and why
    Dead {
        /// Only this consumer
        #[arg(long)]
        service: Option<String>,
    },
    /// Have dead letters tried again, in the trace in which they were published
    #[command(after_help = "Exits with 1 if one of them fails again.")]
    Replay {
        /// Ids of the events
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        events: Vec<String>,
        /// Every dead letter
        #[arg(long)]
        all: bool,
        /// Only at this consumer
        #[arg(long)]
        service: Option<String>,
        /// How long to wait for what becomes of them
        #[arg(long, default_value = "10s", value_parser = parse_duration)]
        wait: Duration,
    },
    /// Give dead letters up: later events of their subject go on without them
    Discard {
        /// Ids of the events
        #[arg(required = true)]
        events: Vec<String>,
        /// Only at this consumer
        #[arg(long)]
        service: Option<String>,
    },
    /// Have a service forget what it made of events and take all that are kept again
    Rebuild {
        /// Who consumes: recommendations
        service: String,
        /// Whose events [default: everybody's whom it consumes]
        feed: Option<String>,
        /// How long to wait until it has caught up; it goes on by itself
        #[arg(long, default_value = "10m", value_parser = parse_duration)]
        wait: Duration,
    },
}

pub(crate) async fn command(arguments: Arguments) -> Result<ExitCode> {
    let services = Services::of_the_registry(&arguments.data.dir()?).await?;
    let json = arguments.json;
    match arguments.action {
        Action::Lag { service } => show_lag(&services.only(service.as_deref())?, json).await,
        Action::Dead { service } => show_dead(&services.only(service.as_deref())?, json).await,
        Action::Replay {
            events,
            service,
            wait,
            all: _,
        } => replay(&services.only(service.as_deref())?, &events, wait, json).await,
        Action::Discard { events, service } => {
            discard(&services.only(service.as_deref())?, &events, json).await
        }
        Action::Rebuild {
            service,
            feed,
            wait,
        } => {
            let screen = Screen::new();
            let done =
                rebuild::rebuild(&services, &service, feed.as_deref(), wait, &screen).await?;
            if json {
                outln!("{}", serde_json::to_string_pretty(&done)?);
            } else {
                for rebuilt in &done {
                    outln!("{}", rebuilt.line());
                }
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn show_lag(services: &Services, json: bool) -> Result<ExitCode> {
    let (standings, away) = services.standings().await;
    if json {
        let report = json!({ "services": standings, "away": away });
        outln!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        out!("{}", lag::table(&standings, Paint::stdout()));
    }
    note_away(&away);
    let stuck = |consumer: &Consumer| consumer.dead > 0 || consumer.stalled.is_some();
    let mut consumers = standings.iter().flat_map(|standing| &standing.consumers);
    Ok(well(away.is_empty() && !consumers.any(stuck)))
}

async fn show_dead(services: &Services, json: bool) -> Result<ExitCode> {
    let (letters, away) = services.letters().await;
    if json {
        outln!("{}", serde_json::to_string_pretty(&letters)?);
    } else {
        out!("{}", dead::list(&letters, Paint::stdout()));
    }
    note_away(&away);
    Ok(well(away.is_empty()))
}

async fn replay(
    services: &Services,
    ids: &[String],
    patience: Duration,
    json: bool,
) -> Result<ExitCode> {
    let (letters, away) = services.letters().await;
    note_away(&away);
    let replayed = dead::replay(services, dead::meant(letters, ids)?, patience).await?;
    if json {
        outln!("{}", serde_json::to_string_pretty(&replayed)?);
    } else if replayed.is_empty() {
        outln!("there is nothing to replay");
    }
    let paint = Paint::stdout();
    for one in replayed.iter().filter(|_| !json) {
        let became = match one.became {
            Became::Healed => paint.green("healed"),
            Became::FailedAgain => paint.red("failed again: `citywatch events dead` says why"),
            Became::UnderWay => paint.yellow("tried, and not at its end yet"),
        };
        let letter = &one.letter;
        outln!(
            "{} at {} <- {}: {became}",
            letter.event_id,
            letter.service,
            letter.feed
        );
    }
    Ok(well(
        replayed.iter().all(|one| one.became == Became::Healed),
    ))
}

async fn discard(services: &Services, ids: &[String], json: bool) -> Result<ExitCode> {
    let (letters, away) = services.letters().await;
    note_away(&away);
    let letters = dead::meant(letters, ids)?;
    for letter in &letters {
        let context = || format!("discard {} at {}", letter.event_id, letter.service);
        services.discard(letter).await.with_context(context)?;
    }
    if json {
        outln!("{}", serde_json::to_string_pretty(&letters)?);
    } else {
        for letter in &letters {
            outln!(
                "given up: {} at {} <- {}; its subject goes on",
                letter.event_id,
                letter.service,
                letter.feed
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Whoever cannot be asked is named: a table without a line says nothing of its absence.
fn note_away(away: &[Away]) {
    let screen = Screen::new();
    for away in away {
        screen.note(&format!("{} {away}", Paint::stderr().yellow("not asked:")));
    }
}

const fn well(is_well: bool) -> ExitCode {
    if is_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
