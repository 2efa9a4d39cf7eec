//! What members are called: users is asked once for a page, and not again for a short while.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use app::Live;
use axum::http::StatusCode;
use calls::{Answer, CallError, Calls, Client, edges};
use faults::{Around, Injected};
use serde::Deserialize;

use crate::Settings;
use crate::metrics::{Metrics, Source};

type Name = String;

pub(crate) struct Names {
    users: Client,
    send: Around,
    metrics: Metrics,
    settings: Live<Settings>,
    memory: Mutex<Memory>,
}

/// Why users did not say.
#[derive(Debug, thiserror::Error)]
enum Unsaid {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Injected(#[from] Injected),
    #[error("users answered {status} {}", code.as_deref().unwrap_or_default())]
    Answer {
        status: StatusCode,
        code: Option<String>,
    },
    #[error("users answered in a form that is not its own")]
    Form(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct Told {
    items: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    name: Name,
}

impl Names {
    pub(crate) fn new(
        calls: &Calls,
        send: Around,
        metrics: Metrics,
        settings: Live<Settings>,
    ) -> Self {
        let memory = Mutex::new(Memory::new(settings.load().names_remembered));
        Self {
            users: calls.to(&edges::BOARD_USERS),
            send,
            metrics,
            settings,
            memory,
        }
    }

    /// The names of these members, as far as they can be told. It does not fail: who is not in it
    /// is shown by their id.
    pub(crate) async fn of(&self, ids: impl Iterator<Item = &str>) -> HashMap<String, Name> {
        let mut missing: BTreeSet<&str> = ids.collect();
        let mut known = HashMap::new();
        let wanted = missing.len();
        {
            let memory = self.memory();
            let now = Instant::now();
            missing.retain(|id| match memory.get(id, now) {
                None => true,
                Some(name) => {
                    known.extend(name.map(|name| ((*id).to_owned(), name)));
                    false
                }
            });
        }
        self.metrics
            .named(Source::Remembered, wanted - missing.len());
        if missing.is_empty() {
            return known;
        }
        match self.ask(&missing).await {
            Ok(told) => self.learn(&missing, told, &mut known),
            Err(error) => {
                tracing::warn!(%error, names = missing.len(), "names are left out");
                self.metrics.named(Source::Failed, missing.len());
            }
        }
        known
    }

    async fn ask(&self, ids: &BTreeSet<&str>) -> Result<Vec<Named>, Unsaid> {
        let ids: Vec<_> = ids.iter().copied().collect();
        let call = self.users.get("/inner/v1/names", "/inner/v1/names");
        let ids = ids.join(",");
        let sent = async { Ok::<_, Unsaid>(call.query(&[("ids", &ids)]).send().await?) };
        let answer: Answer = self.send.pass(sent).await?;
        if answer.status != StatusCode::OK {
            return Err(Unsaid::Answer {
                status: answer.status,
                code: answer.problem_code(),
            });
        }
        Ok(answer.json::<Told>()?.items)
    }

    fn learn(&self, asked: &BTreeSet<&str>, told: Vec<Named>, known: &mut HashMap<String, Name>) {
        let until = Instant::now() + Duration::from_millis(self.settings.load().names_kept_ms);
        let told: HashMap<String, Name> = told.into_iter().map(|n| (n.id, n.name)).collect();
        let mut memory = self.memory();
        let mut unknown = 0;
        for id in asked {
            let name = told.get(*id).cloned();
            unknown += usize::from(name.is_none());
            known.extend(name.clone().map(|name| ((*id).to_owned(), name)));
            memory.keep((*id).to_owned(), name, until);
        }
        drop(memory);
        self.metrics.named(Source::Unknown, unknown);
        self.metrics.named(Source::Asked, asked.len() - unknown);
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names by id, and that there is none, each for a while; never more than there is room for.
struct Memory {
    names: HashMap<String, (Instant, Option<Name>)>,
    room: usize,
}

impl Memory {
    fn new(room: usize) -> Self {
        Self {
            names: HashMap::new(),
            room,
        }
    }

    /// What is known of this id: `Some(None)`, that nobody has it.
    fn get(&self, id: &str, now: Instant) -> Option<Option<Name>> {
        let (until, name) = self.names.get(id)?;
        (now < *until).then(|| name.clone())
    }

    fn keep(&mut self, id: String, name: Option<Name>, until: Instant) {
        if self.names.len() >= self.room {
            let now = Instant::now();
            self.names.retain(|_, (until, _)| now < *until);
        }
        if self.names.len() >= self.room {
            // They are asked for again, a page at a time.
            self.names.clear();
        }
        self.names.insert(id, (until, name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_for_a_while_and_only_so_many_are() {
        let now = Instant::now();
        let later = now + Duration::from_secs(60);
        let mut memory = Memory::new(3);
        memory.keep("nobody".to_owned(), None, later);
        memory.keep("mina".to_owned(), Some("Mina".to_owned()), later);
        assert_eq!(memory.get("nobody", now), Some(None));
        assert_eq!(memory.get("mina", now), Some(Some("Mina".to_owned())));
        assert_eq!(memory.get("mina", later), None);
        assert_eq!(memory.get("jo", now), None);
        memory.keep("gone".to_owned(), None, now);
        // What is over makes room first.
        memory.keep("jo".to_owned(), Some("Jo".to_owned()), later);
        assert_eq!(memory.get("mina", now), Some(Some("Mina".to_owned())));
        for number in 0..100 {
            memory.keep(number.to_string(), None, later);
            assert!(memory.names.len() <= 3);
            assert_eq!(memory.get(&number.to_string(), now), Some(None));
        }
    }
}
