//! How far everybody is behind, as a table.

use super::wire::{Consumer, Standing};
use crate::terminal::{Paint, duration};

/// One line a consumer, then one line an outbox.
pub(super) fn table(standings: &[Standing], paint: Paint) -> String {
    let mut out = String::new();
    let of = |standing: &Standing| standing.service.clone();
    let consumers: Vec<(String, &Consumer)> = standings
        .iter()
        .flat_map(|standing| standing.consumers.iter().map(|one| (of(standing), one)))
        .collect();
    let head = format!(
        "{:<16} {:<10} {:>9} {:>9} {:>8} {:>9} {:>9} {:>8} {:>5}",
        "consumer", "of", "position", "head", "behind", "since", "retrying", "waiting", "dead"
    );
    out.push_str(&format!("{}\n", paint.bold(&head)));
    for (service, consumer) in consumers {
        let line = format!(
            "{service:<16} {:<10} {:>9} {:>9} {:>8} {:>9} {:>9} {:>8} {:>5}",
            consumer.feed,
            consumer.position,
            consumer.head,
            consumer.lag_events,
            since(consumer.lag_seconds),
            consumer.retrying,
            consumer.waiting,
            consumer.dead
        );
        let line = match consumer {
            _ if consumer.dead > 0 || consumer.stalled.is_some() => paint.red(&line),
            _ if consumer.at_rest() => line,
            _ => paint.yellow(&line),
        };
        out.push_str(&format!("{line}\n"));
        if let Some(why) = &consumer.stalled {
            let feed = &consumer.feed;
            out.push_str(&paint.red(&format!("  takes nothing any more: {why}\n")));
            out.push_str(&paint.dim(&format!("  → citywatch events rebuild {service} {feed}\n")));
        }
        if consumer.dead > 0 {
            out.push_str(&paint.dim(&format!("  → citywatch events dead --service {service}\n")));
        }
    }
    let head = format!(
        "\n{:<16} {:>9} {:>9} {:>12} {:>9}",
        "outbox", "head", "kept", "unpublished", "since"
    );
    out.push_str(&format!("{}\n", paint.bold(&head)));
    for Standing {
        service, outbox, ..
    } in standings
    {
        out.push_str(&format!(
            "{service:<16} {:>9} {:>9} {:>12} {:>9}\n",
            outbox.head,
            outbox.kept,
            outbox.unpublished,
            since(outbox.oldest_unpublished_seconds)
        ));
    }
    out
}

/// How old the oldest is that was not taken; nothing if there is none.
fn since(seconds: f64) -> String {
    if seconds <= 0.0 {
        return "-".to_owned();
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // shown with three digits
    duration((seconds * 1e6) as u64)
}

#[cfg(test)]
mod tests {
    use super::super::wire::Outbox;
    use super::*;

    fn consumer(feed: &str) -> Consumer {
        Consumer {
            feed: feed.to_owned(),
            position: 117,
            head: 120,
            lag_events: 3,
            lag_seconds: 1.25,
            retrying: 0,
            waiting: 0,
            dead: 0,
            stalled: None,
        }
    }

    #[test]
    fn the_table_says_who_is_behind_and_what_to_do_about_it() {
        let stuck = Consumer {
            stalled: Some("feed_truncated".to_owned()),
            dead: 2,
            ..consumer("shipping")
        };
        let standing = Standing {
            service: "notifications".to_owned(),
            outbox: Outbox {
                head: 0,
                kept: 0,
                unpublished: 0,
                oldest_unpublished_seconds: 0.0,
            },
            consumers: vec![consumer("orders"), stuck],
        };
        let text = table(&[standing], Paint::plain());
        for expected in [
            "notifications    orders           117       120        3    1.25 s",
            "takes nothing any more: feed_truncated",
            "→ citywatch events rebuild notifications shipping",
            "→ citywatch events dead --service notifications",
            "notifications            0         0            0         -",
        ] {
            assert!(text.contains(expected), "{expected}:\n{text}");
        }
    }
}
