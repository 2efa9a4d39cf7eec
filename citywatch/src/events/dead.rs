//! What could not be taken: shown, tried again, given up.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::wire::Letter;
use crate::operator::Services;
use crate::terminal::Paint;

/// Between two looks at what is tried again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// What became of a dead letter that was tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Became {
    /// Its effect is there.
    Healed,
    /// It is dead again.
    FailedAgain,
    /// Nothing is known yet.
    UnderWay,
}

/// A dead letter, and what became of it.
#[derive(Debug, Serialize)]
pub(super) struct Replayed {
    pub(super) became: Became,
    #[serde(flatten)]
    pub(super) letter: Letter,
}

/// Each with what a person needs to decide.
pub(super) fn list(letters: &[Letter], paint: Paint) -> String {
    if letters.is_empty() {
        return format!("{}\n", paint.green("nothing was put aside"));
    }
    let mut out = String::new();
    for letter in letters {
        let state = if letter.is_dead() {
            paint.red(&letter.state)
        } else {
            paint.yellow(&letter.state)
        };
        let Letter {
            service,
            feed,
            event_id,
            kind,
            subject,
            attempts,
            ..
        } = letter;
        let since = letter.first_failed_at.as_deref().unwrap_or("?");
        let reason = letter.reason.as_deref().unwrap_or("nobody said why");
        out.push_str(&format!(
            "{} {state} at {service} <- {feed}: {kind} of {subject}\n  {attempts} attempts since \
             {since}: {reason}\n",
            paint.bold(event_id)
        ));
        if letter.waiting > 0 {
            let waiting = letter.waiting;
            out.push_str(&format!("  later events of its subject wait: {waiting}\n"));
        }
        if let Some(trace) = letter.trace() {
            out.push_str(&paint.dim(&format!("  citywatch trace {trace}\n")));
        }
        if letter.is_dead() {
            out.push_str(&paint.dim(&format!("  citywatch events replay {event_id}\n")));
        }
    }
    out
}

/// Those of `letters` that are dead and meant: by id, or all. An event may be dead at two consumers.
pub(super) fn meant(letters: Vec<Letter>, ids: &[String]) -> Result<Vec<Letter>> {
    let (dead, others): (Vec<_>, Vec<_>) = letters.into_iter().partition(Letter::is_dead);
    if ids.is_empty() {
        return Ok(dead);
    }
    for id in ids {
        if dead.iter().any(|letter| letter.event_id == *id) {
            continue;
        }
        match others.iter().find(|letter| letter.event_id == *id) {
            Some(letter) => bail!(
                "event {id} is {} at {}: it is tried again by itself",
                letter.state,
                letter.service
            ),
            None => bail!("no dead letter {id}; `citywatch events dead` lists them"),
        }
    }
    let ids: BTreeSet<&String> = ids.iter().collect();
    let meant = dead
        .into_iter()
        .filter(|letter| ids.contains(&letter.event_id));
    Ok(meant.collect())
}

/// Has them tried again and sees what becomes of each, for at most `patience`.
pub(super) async fn replay(
    services: &Services,
    letters: Vec<Letter>,
    patience: Duration,
) -> Result<Vec<Replayed>> {
    for letter in &letters {
        let context = || format!("replay {} at {}", letter.event_id, letter.service);
        services.replay(letter).await.with_context(context)?;
    }
    let deadline = Instant::now() + patience;
    let mut replayed = Vec::new();
    for letter in letters {
        let became = loop {
            let now = services.letters_of(&letter.service).await?;
            match became(&letter, &now) {
                Became::UnderWay if Instant::now() < deadline => {}
                known => break known,
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        };
        replayed.push(Replayed { became, letter });
    }
    Ok(replayed)
}

fn became(letter: &Letter, now: &[Letter]) -> Became {
    let same = |other: &&Letter| other.event_id == letter.event_id && other.feed == letter.feed;
    match now.iter().find(same) {
        None => Became::Healed,
        Some(other) if other.is_dead() && other.attempts > letter.attempts => Became::FailedAgain,
        Some(_) => Became::UnderWay,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn letter(id: &str, state: &str, attempts: u64) -> Letter {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        serde_json::from_value(json!({
            "service": "notifications", "feed": "orders", "event_id": id, "subject": "order-1",
            "type": "orders.OrderConfirmed.v1", "state": state, "attempts": attempts,
            "reason": "no such member", "first_failed_at": "2026-11-21T10:00:00Z", "waiting": 2,
            "event": {"traceparent": format!("00-{trace}-00f067aa0ba902b7-01")},
        }))
        .unwrap()
    }

    #[test]
    fn a_letter_says_why_it_is_there_and_where_its_trace_is() {
        let text = list(&[letter("event-1", "dead", 5)], Paint::plain());
        for expected in [
            "event-1 dead at notifications <- orders: orders.OrderConfirmed.v1 of order-1",
            "5 attempts since 2026-11-21T10:00:00Z: no such member",
            "later events of its subject wait: 2",
            "citywatch trace 4bf92f3577b34da6a3ce929d0e0e4736",
            "citywatch events replay event-1",
        ] {
            assert!(text.contains(expected), "{expected}:\n{text}");
        }
    }

    #[test]
    fn only_the_dead_are_meant_and_the_others_are_explained() {
        let all = || {
            vec![
                letter("a", "dead", 5),
                letter("b", "retrying", 1),
                letter("c", "dead", 5),
            ]
        };
        let ids = |letters: Vec<Letter>| -> Vec<String> {
            letters.into_iter().map(|letter| letter.event_id).collect()
        };
        assert_eq!(ids(meant(all(), &[]).unwrap()), ["a", "c"]);
        assert_eq!(ids(meant(all(), &["c".to_owned()]).unwrap()), ["c"]);
        let retrying = meant(all(), &["b".to_owned()]).unwrap_err().to_string();
        assert!(retrying.contains("tried again by itself"), "{retrying}");
        let unknown = meant(all(), &["z".to_owned()]).unwrap_err().to_string();
        assert!(unknown.contains("citywatch events dead"), "{unknown}");
    }

    #[test]
    fn a_replay_is_known_by_what_the_consumer_holds_afterwards() {
        let before = letter("a", "dead", 5);
        assert_eq!(became(&before, &[]), Became::Healed);
        assert_eq!(became(&before, &[letter("a", "dead", 5)]), Became::UnderWay);
        assert_eq!(
            became(&before, &[letter("a", "retrying", 6)]),
            Became::UnderWay
        );
        assert_eq!(
            became(&before, &[letter("a", "dead", 6)]),
            Became::FailedAgain
        );
    }
}
