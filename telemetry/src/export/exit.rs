//! Everything that one signal's requests are handed to.

use super::client::Client;
use super::json::to_json;
use super::ledger::Outcome;
use super::signal::Signal;
use crate::counts::DropReason;
use crate::log::LineWriter;
use std::time::Duration;

/// How long standard output may take to make room for a line.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where requests go, one way after the other.
#[derive(Debug)]
pub(crate) struct Exit {
    signal: Signal,
    console: Option<LineWriter>,
    clients: Vec<Client>,
}

impl Exit {
    /// None if there is no way out at all.
    pub(crate) fn new(signal: Signal, console: bool, clients: Vec<Client>) -> Option<Exit> {
        let some = console || !clients.is_empty();
        some.then(|| Exit {
            signal,
            console: console.then(LineWriter::stdout),
            clients,
        })
    }

    /// Of one attempt.
    pub(crate) fn timeout(&self) -> Duration {
        let clients = self.clients.iter().map(Client::timeout);
        clients.max().unwrap_or(PATIENCE)
    }

    pub(crate) fn clients(&mut self) -> &mut [Client] {
        &mut self.clients
    }

    /// Writes the request as one line to standard output, if it goes there. False if the line is
    /// lost: nobody reads, or it is longer than the writer's whole buffer. It blocks the thread,
    /// which is the exporter's own.
    pub(crate) fn print(&self, request: &[u8]) -> bool {
        let Some(lines) = &self.console else {
            return true;
        };
        let line = to_json(self.signal, request);
        lines.flush(PATIENCE);
        lines.accepts(&line)
    }

    /// What became of a request, as far as the console is concerned.
    pub(super) fn printed(&self, request: &[u8]) -> Outcome {
        match self.print(request) {
            true => Outcome::Exported { rejected: 0 },
            false => Outcome::Dropped {
                reason: DropReason::Rejected,
                error: DropReason::Rejected.as_str().into(),
            },
        }
    }
}

impl Outcome {
    /// The worse of two: what one way lost is not delivered.
    pub(super) fn and(self, other: Outcome) -> Outcome {
        match (self, other) {
            (Outcome::Exported { rejected: one }, Outcome::Exported { rejected: two }) => {
                Outcome::Exported {
                    rejected: one.max(two),
                }
            }
            (lost @ Outcome::Dropped { .. }, _) | (_, lost) => lost,
        }
    }
}
