//! A read model made again from all events that are kept, watched until it has caught up.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::wire::Consumer;
use crate::operator::Services;
use crate::terminal::Screen;

const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Without a terminal a line is written this often.
const PLAIN_LINE_EVERY: Duration = Duration::from_secs(10);

/// What was taken again, and how fast.
#[derive(Debug, Serialize)]
pub(super) struct Rebuilt {
    pub(super) service: String,
    pub(super) feed: String,
    pub(super) events: u64,
    pub(super) seconds: f64,
}

impl Rebuilt {
    pub(super) fn line(&self) -> String {
        format!(
            "{} <- {}: {} events in {:.1} s, {:.0}/s",
            self.service,
            self.feed,
            self.events,
            self.seconds,
            per_second(self.events, self.seconds)
        )
    }
}

/// One feed after the other, each until nothing is left to take, all within `patience`.
pub(super) async fn rebuild(
    services: &Services,
    service: &str,
    feed: Option<&str>,
    patience: Duration,
    screen: &Screen,
) -> Result<Vec<Rebuilt>> {
    services.must_have(service)?;
    let standing = services
        .standing(service)
        .await
        .with_context(|| format!("ask {service}"))?;
    let consumers = standing
        .map(|standing| standing.consumers)
        .unwrap_or_default();
    let known: Vec<String> = consumers.into_iter().map(|one| one.feed).collect();
    let feeds = match feed {
        None if known.is_empty() => bail!("{service} consumes nothing"),
        None => known,
        Some(feed) if known.iter().any(|one| one == feed) => vec![feed.to_owned()],
        Some(feed) => bail!(
            "{service} consumes nothing of `{feed}`; it consumes: {}",
            known.join(", ")
        ),
    };
    let deadline = Instant::now() + patience;
    let mut done = Vec::new();
    for feed in feeds {
        let kept = match services.standing(&feed).await {
            Ok(Some(producer)) => Some(producer.outbox.kept),
            // Who is away now may still be read when it is back.
            Ok(None) | Err(_) => None,
        };
        match services.rebuild(service, &feed).await? {
            Ok(()) => {}
            Err(refusal) if refusal.is("not_rebuildable") => {
                bail!("{service} cannot take {feed}'s events again: {refusal}")
            }
            Err(refusal) => bail!("{service} refuses to rebuild from {feed}: {refusal}"),
        }
        let rebuilt = caught_up(services, service, feed, kept, deadline, screen).await;
        screen.clear();
        done.push(rebuilt?);
    }
    Ok(done)
}

async fn caught_up(
    services: &Services,
    service: &str,
    feed: String,
    kept: Option<u64>,
    deadline: Instant,
    screen: &Screen,
) -> Result<Rebuilt> {
    let start = Instant::now();
    let mut said = start;
    loop {
        let standing = services.standing(service).await;
        // A service that restarts will speak.
        let now = standing.ok().flatten().and_then(|standing| {
            let mut consumers = standing.consumers.into_iter();
            consumers.find(|consumer| consumer.feed == feed)
        });
        let seconds = start.elapsed().as_secs_f64();
        if let Some(now) = &now {
            let all = kept.or_else(|| u64::try_from(now.head).ok());
            let events = all.unwrap_or_default().saturating_sub(now.lag_events);
            if let Some(why) = &now.stalled {
                bail!("{service} takes nothing of {feed} any more: {why}");
            }
            if now.lag_events == 0 {
                return Ok(Rebuilt {
                    service: service.to_owned(),
                    feed,
                    events,
                    seconds,
                });
            }
            let line = progress(service, now, events, seconds);
            screen.live(&line);
            if !screen.is_terminal() && said.elapsed() >= PLAIN_LINE_EVERY {
                said = Instant::now();
                screen.note(&line);
            }
        }
        if Instant::now() >= deadline {
            let behind = now.map_or_else(String::new, |now| {
                format!(", {} events behind", now.lag_events)
            });
            bail!(
                "{service} has not caught up with {feed}{behind}; it goes on: `citywatch events lag`"
            );
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn progress(service: &str, now: &Consumer, events: u64, seconds: f64) -> String {
    format!(
        "{service} <- {}: {events} of {} events, {:.0}/s, {} to go",
        now.feed,
        events + now.lag_events,
        per_second(events, seconds),
        now.lag_events
    )
}

#[allow(clippy::cast_precision_loss)] // shown without digits
fn per_second(events: u64, seconds: f64) -> f64 {
    events as f64 / seconds.max(0.001)
}
