//! What services say of their events, and what they do about them when an operator asks.

use anyhow::{Context, Result};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::operator::{Away, Refusal, Services, accepted, explained, refusal};

/// Where a service speaks of its events.
const EVENTS: &str = "/inner/v1/events";

/// What a service has published and taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) service: String,
    pub(crate) outbox: Outbox,
    pub(crate) consumers: Vec<Consumer>,
}

/// What a service has published.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outbox {
    /// Position of the newest event.
    pub(crate) head: i64,
    /// Events that retention has left.
    pub(crate) kept: u64,
    /// Committed, and without a position yet.
    pub(crate) unpublished: u64,
    pub(crate) oldest_unpublished_seconds: f64,
}

/// How far a service is with what another has published.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Consumer {
    /// Whose events.
    pub(crate) feed: String,
    pub(crate) position: i64,
    pub(crate) head: i64,
    pub(crate) lag_events: u64,
    pub(crate) lag_seconds: f64,
    /// Parked events that are tried again.
    pub(crate) retrying: u64,
    /// Parked behind an earlier event of their subject.
    pub(crate) waiting: u64,
    /// Parked for a person to look at.
    pub(crate) dead: u64,
    /// Why it takes nothing any more.
    pub(crate) stalled: Option<String>,
}

impl Consumer {
    /// Nothing is left to take, and nothing was put aside.
    pub(crate) const fn at_rest(&self) -> bool {
        self.lag_events == 0
            && self.retrying == 0
            && self.waiting == 0
            && self.dead == 0
            && self.stalled.is_none()
    }
}

/// An event that was put aside, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Letter {
    /// Who could not take it; told by whoever asked, not by the service.
    #[serde(default)]
    pub(crate) service: String,
    pub(crate) feed: String,
    pub(crate) event_id: String,
    pub(crate) subject: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) attempts: u64,
    /// Of the last attempt.
    pub(crate) reason: Option<String>,
    pub(crate) first_failed_at: Option<String>,
    /// Later events of its subject that wait for it.
    pub(crate) waiting: u64,
    /// The event as it was published.
    pub(crate) event: Value,
}

impl Letter {
    pub(crate) fn is_dead(&self) -> bool {
        self.state == "dead"
    }

    /// The trace in which it was published, and in which every attempt is.
    pub(crate) fn trace(&self) -> Option<&str> {
        self.event["traceparent"].as_str()?.split('-').nth(1)
    }
}

impl Services {
    /// What each says of its events, and who cannot be asked. Who has nothing to do with events is
    /// left out.
    pub(crate) async fn standings(&self) -> (Vec<Standing>, Vec<Away>) {
        let (mut standings, mut away) = (Vec::new(), Vec::new());
        for service in self.names() {
            match self.standing(service).await {
                Ok(standing) => standings.extend(standing),
                Err(why) => away.push(Away::new(service, &why)),
            }
        }
        (standings, away)
    }

    /// What one says; none if it has nothing to do with events.
    pub(crate) async fn standing(&self, service: &str) -> Result<Option<Standing>> {
        let answer = self.ask(service, Method::GET, EVENTS, &[]).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let standing = accepted(service, answer).await?.json().await;
        standing
            .map(Some)
            .with_context(|| format!("understand what {service} says of its events"))
    }

    /// Every event that anybody has put aside, and who cannot be asked.
    pub(crate) async fn letters(&self) -> (Vec<Letter>, Vec<Away>) {
        let (standings, mut away) = self.standings().await;
        let mut letters = Vec::new();
        for Standing {
            service, consumers, ..
        } in standings
        {
            if consumers.is_empty() {
                continue;
            }
            match self.letters_of(&service).await {
                Ok(found) => letters.extend(found),
                Err(why) => away.push(Away::new(&service, &why)),
            }
        }
        (letters, away)
    }

    /// Every event that one has put aside.
    pub(crate) async fn letters_of(&self, service: &str) -> Result<Vec<Letter>> {
        let mut letters: Vec<Letter> = self.list(service, &format!("{EVENTS}/dead")).await?;
        for letter in &mut letters {
            service.clone_into(&mut letter.service);
        }
        Ok(letters)
    }

    /// Has a dead letter tried again, now.
    pub(crate) async fn replay(&self, letter: &Letter) -> Result<()> {
        let path = format!("{EVENTS}/dead/{}/replay", letter.event_id);
        self.tell(&letter.service, Method::POST, &path).await
    }

    /// Gives a dead letter up: the subject goes on without it.
    pub(crate) async fn discard(&self, letter: &Letter) -> Result<()> {
        let path = format!("{EVENTS}/dead/{}", letter.event_id);
        self.tell(&letter.service, Method::DELETE, &path).await
    }

    /// Has a service forget what it made of another's events and take them all again; or says why
    /// it will not.
    pub(crate) async fn rebuild(&self, service: &str, feed: &str) -> Result<Result<(), Refusal>> {
        let path = format!("{EVENTS}/feeds/{feed}/rebuild");
        let answer = self.ask(service, Method::POST, &path, &[]).await?;
        if answer.status().is_success() {
            return Ok(Ok(()));
        }
        let refusal = refusal(answer).await;
        if refusal.status == StatusCode::UNAUTHORIZED {
            return Err(explained(service, &refusal));
        }
        Ok(Err(refusal))
    }
}
