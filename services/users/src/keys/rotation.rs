//! What is to become of the keys, given the time: rules without clock, store or network.

use std::time::Duration;

use identity::SigningKey;
use zeroize::Zeroizing;

use crate::domain::Timestamp;
use crate::error::Error;
use crate::store::{KeyChanges, KeyRow};

/// When a key takes over and when it is forgotten.
pub(super) struct Rules {
    /// For how long a key signs.
    pub(super) period: Duration,
    /// For how long it is published before.
    pub(super) lead: Duration,
    /// For how long it verifies after.
    pub(super) keep: Duration,
    /// The keys that the registry is known to publish; `None` without a registry.
    pub(super) seen_published: Option<Vec<String>>,
}

impl Rules {
    fn may_take_over(&self, next: &KeyRow, now: Timestamp) -> bool {
        let seen = self
            .seen_published
            .as_ref()
            .is_none_or(|kids| kids.contains(&next.kid));
        seen && now >= next.created_at.plus(self.lead)
    }
}

impl KeyChanges {
    pub(super) fn is_empty(&self) -> bool {
        self.put.is_empty() && self.delete.is_empty()
    }
}

/// The next step: the first keys, a change of keys whose time has come, keys to forget.
pub(super) fn next_step(
    rows: &[KeyRow],
    now: Timestamp,
    rules: &Rules,
) -> Result<KeyChanges, Error> {
    let mut changes = KeyChanges::default();
    let expired = |row: &&KeyRow| row.retired_until.is_some_and(|until| until <= now);
    changes
        .delete
        .extend(rows.iter().filter(expired).map(|row| row.kid.clone()));

    let active = rows
        .iter()
        .find(|row| row.activated_at.is_some() && row.retired_until.is_none());
    let next = rows.iter().find(|row| row.activated_at.is_none());
    let due = |active: &KeyRow| {
        active
            .activated_at
            .is_some_and(|since| since.plus(rules.period) <= now)
    };
    match (active, next) {
        // The very first: nobody has a token yet, so there is nobody to wait for.
        (None, next) => {
            let mut first = match next {
                Some(next) => next.clone(),
                None => fresh(now)?,
            };
            first.activated_at = Some(now);
            changes.put.extend([first, fresh(now)?]);
        }
        (Some(_), None) => changes.put.push(fresh(now)?),
        (Some(active), Some(next)) if due(active) && rules.may_take_over(next, now) => {
            let retired = KeyRow {
                retired_until: Some(now.plus(rules.keep)),
                ..active.clone()
            };
            let promoted = KeyRow {
                activated_at: Some(now),
                ..next.clone()
            };
            changes.put.extend([retired, promoted, fresh(now)?]);
        }
        (Some(_), Some(_)) => {}
    }
    Ok(changes)
}

fn fresh(now: Timestamp) -> Result<KeyRow, Error> {
    let key = SigningKey::generate()?;
    Ok(KeyRow {
        kid: key.kid().to_owned(),
        private_key: Zeroizing::new(key.to_pem()),
        created_at: now,
        activated_at: None,
        retired_until: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn rules(seen_published: Option<Vec<String>>) -> Rules {
        Rules {
            period: HOUR,
            lead: HOUR / 12,
            keep: HOUR / 3,
            seen_published,
        }
    }

    fn apply(rows: &mut Vec<KeyRow>, changes: KeyChanges) {
        rows.retain(|row| !changes.delete.contains(&row.kid));
        for put in changes.put {
            match rows.iter_mut().find(|row| row.kid == put.kid) {
                Some(row) => *row = put,
                None => rows.push(put),
            }
        }
    }

    fn phases(rows: &[KeyRow]) -> (usize, usize, usize) {
        let retired = rows
            .iter()
            .filter(|row| row.retired_until.is_some())
            .count();
        let waiting = rows.iter().filter(|row| row.activated_at.is_none()).count();
        (waiting, rows.len() - waiting - retired, retired)
    }

    /// Whatever the steps in time: one key signs, one waits, and a key that signed is known until
    /// its last token has expired.
    #[test]
    fn at_any_time_one_key_signs_and_one_waits() {
        for minutes in [1, 7, 30, 61, 600] {
            let mut rows = Vec::new();
            let mut now = START;
            let mut signed: Vec<(String, Timestamp)> = Vec::new();
            for _ in 0..400 {
                let changes = next_step(&rows, now, &rules(None)).unwrap();
                apply(&mut rows, changes);
                let (waiting, active, retired) = phases(&rows);
                assert_eq!(
                    (waiting, active),
                    (1, 1),
                    "every {minutes} minutes at {now:?}"
                );
                assert!(retired <= 2, "{retired} retired keys");
                assert!(
                    next_step(&rows, now, &rules(None)).unwrap().is_empty(),
                    "one step is all"
                );
                let signer = rows
                    .iter()
                    .find(|row| row.activated_at.is_some() && row.retired_until.is_none());
                signed.push((
                    signer.unwrap().kid.clone(),
                    now.plus(Duration::from_secs(900)),
                ));
                signed.retain(|(_, expires)| *expires > now);
                for (kid, _) in &signed {
                    assert!(
                        rows.iter().any(|row| row.kid == *kid),
                        "a living token's key is gone"
                    );
                }
                now = now.plus(Duration::from_secs(60) * minutes);
            }
        }
    }

    #[test]
    fn a_key_waits_for_its_time_and_for_being_seen() {
        let mut rows = Vec::new();
        let changes = next_step(&rows, START, &rules(None)).unwrap();
        apply(&mut rows, changes);
        let waiting = rows
            .iter()
            .find(|row| row.activated_at.is_none())
            .unwrap()
            .kid
            .clone();

        let almost = START.plus(HOUR - Duration::from_micros(1));
        assert!(next_step(&rows, almost, &rules(None)).unwrap().is_empty());
        let due = START.plus(HOUR);
        assert!(
            next_step(&rows, due, &rules(Some(Vec::new())))
                .unwrap()
                .is_empty()
        );
        let changes = next_step(&rows, due, &rules(Some(vec![waiting.clone()]))).unwrap();
        apply(&mut rows, changes);
        let row = rows.iter().find(|row| row.kid == waiting).unwrap();
        assert_eq!(row.activated_at, Some(due));
    }

    #[test]
    fn a_key_made_a_moment_ago_does_not_sign_yet() {
        let mut rows = Vec::new();
        let changes = next_step(&rows, START, &rules(None)).unwrap();
        apply(&mut rows, changes);
        // Its predecessor was lost; the one that took its place is young.
        rows.retain(|row| row.activated_at.is_some());
        let due = START.plus(2 * HOUR);
        let changes = next_step(&rows, due, &rules(None)).unwrap();
        apply(&mut rows, changes);
        assert_eq!(phases(&rows), (1, 1, 0));
        assert!(
            next_step(&rows, due.plus(HOUR / 13), &rules(None))
                .unwrap()
                .is_empty()
        );
        assert!(
            !next_step(&rows, due.plus(HOUR / 12), &rules(None))
                .unwrap()
                .is_empty()
        );
    }
}
