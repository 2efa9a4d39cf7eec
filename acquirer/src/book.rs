//! The book: a file of JSON lines to which is only ever added, and what can be told from it.
//!
//! One thread writes. It takes all orders that wait, adds their lines, makes them durable with
//! one fsync and only then shows and answers them: an answer never promises what a loss of power
//! could undo, and many at once cost as little as one.

use std::collections::{HashMap, HashSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::oneshot;
use uuid::Uuid;

/// Lines that share one fsync at most.
const BATCH: usize = 256;

/// Why the book cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// The file cannot be read or made.
    #[error("book {path} cannot be opened: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another bank writes it.
    #[error("book {path} is open elsewhere", path = .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A whole line is not one that this bank writes.
    #[error("book {path}, line {line} cannot be read", path = .path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Charge,
    Refund,
}

/// A line. A refund has the id, reference and amount of the charge that it takes back.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    seq: u64,
    at: String,
    kind: Kind,
    id: Uuid,
    reference: String,
    amount: i64,
    currency: String,
}

/// A charge as it stands in the book.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Charge {
    pub(crate) id: Uuid,
    pub(crate) reference: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) refunded: bool,
}

/// Why an order was not carried out; nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    UnknownCharge,
    AlreadyRefunded,
    /// The disk failed.
    Unwritten,
}

type Answer = oneshot::Sender<Result<Charge, Refusal>>;

enum Order {
    Charge {
        reference: String,
        amount: i64,
        currency: String,
        answer: Answer,
    },
    Refund {
        id: Uuid,
        answer: Answer,
    },
}

/// What is durable.
#[derive(Debug, Default)]
struct Shelf {
    charges: HashMap<Uuid, Charge>,
    by_reference: HashMap<String, Vec<Uuid>>,
    seq: u64,
    bytes: u64,
}

impl Shelf {
    fn add(&mut self, line: Line) -> Charge {
        self.seq = line.seq;
        let charge = self.charges.entry(line.id).or_insert_with(|| Charge {
            id: line.id,
            reference: line.reference,
            amount: line.amount,
            currency: line.currency,
            refunded: false,
        });
        match line.kind {
            Kind::Charge => {
                let reference = charge.reference.clone();
                self.by_reference
                    .entry(reference)
                    .or_default()
                    .push(line.id);
            }
            Kind::Refund => charge.refunded = true,
        }
        charge.clone()
    }
}

/// The open book. The writer ends with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    path: Arc<Path>,
    shelf: Arc<RwLock<Shelf>>,
    orders: Sender<Order>,
}

impl Book {
    /// Reads the book, or begins one. A last line that was not written to its end was never
    /// answered, and is cut.
    pub(crate) fn open(path: &Path) -> Result<Self, BookError> {
        let (file, shelf) = read(path)?;
        let shelf = Arc::new(RwLock::new(shelf));
        let (orders, inbox) = channel();
        let writer = Writer {
            file,
            shelf: Arc::clone(&shelf),
            is_broken: false,
        };
        std::thread::spawn(move || writer.run(&inbox));
        Ok(Self {
            path: path.into(),
            shelf,
            orders,
        })
    }

    /// Writes a charge down, whatever else has its reference.
    pub(crate) async fn charge(
        &self,
        reference: String,
        amount: i64,
        currency: String,
    ) -> Result<Charge, Refusal> {
        self.order(|answer| Order::Charge {
            reference,
            amount,
            currency,
            answer,
        })
        .await
    }

    /// Takes a charge back, once.
    pub(crate) async fn refund(&self, id: Uuid) -> Result<Charge, Refusal> {
        self.order(|answer| Order::Refund { id, answer }).await
    }

    async fn order(&self, order: impl FnOnce(Answer) -> Order) -> Result<Charge, Refusal> {
        let (answer, answered) = oneshot::channel();
        let sent = self.orders.send(order(answer));
        sent.map_err(|_| Refusal::Unwritten)?;
        answered.await.unwrap_or(Err(Refusal::Unwritten))
    }

    /// Every charge with this reference, the oldest first.
    pub(crate) fn by_reference(&self, reference: &str) -> Vec<Charge> {
        let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
        let ids = shelf.by_reference.get(reference);
        let charges = ids.into_iter().flatten();
        charges.map(|id| shelf.charges[id].clone()).collect()
    }

    /// The whole file, as far as it is durable.
    pub(crate) fn lines(&self) -> io::Result<Vec<u8>> {
        let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
        let bytes = shelf.bytes;
        drop(shelf);
        let mut lines = Vec::new();
        File::open(&self.path)?
            .take(bytes)
            .read_to_end(&mut lines)?;
        Ok(lines)
    }
}

fn read(path: &Path) -> Result<(File, Shelf), BookError> {
    let failed = |source| BookError::File {
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = path.parent() {
        let made = DirBuilder::new().recursive(true).create(folder);
        made.map_err(failed)?;
    }
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(path).map_err(failed)?;
    file.try_lock().map_err(|_| BookError::Locked {
        path: path.to_owned(),
    })?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(failed)?;
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |end| end + 1);
    let mut shelf = Shelf::default();
    for (index, line) in bytes[..whole].split_inclusive(|b| *b == b'\n').enumerate() {
        let line: Line = serde_json::from_slice(line).map_err(|_| BookError::Line {
            path: path.to_owned(),
            line: index + 1,
        })?;
        shelf.add(line);
    }
    shelf.bytes = whole as u64;
    file.set_len(shelf.bytes).map_err(failed)?;
    file.seek(SeekFrom::End(0)).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    Ok((file, shelf))
}

struct Writer {
    file: File,
    shelf: Arc<RwLock<Shelf>>,
    /// What is in the file is not known any more: nothing is written after that.
    is_broken: bool,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<Order>) {
        while let Ok(first) = inbox.recv() {
            let mut batch = vec![first];
            batch.extend(inbox.try_iter().take(BATCH - 1));
            self.carry_out(batch);
        }
    }

    fn carry_out(&mut self, batch: Vec<Order>) {
        let mut text = Vec::new();
        let mut written = Vec::new();
        let mut refunded_here = HashSet::new();
        let seq = {
            let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
            shelf.seq
        };
        for order in batch {
            let seq = seq + written.len() as u64 + 1;
            let (line, answer) = match self.line(seq, order, &mut refunded_here) {
                Ok(line) => line,
                Err((refusal, answer)) => {
                    let _ = answer.send(Err(refusal));
                    continue;
                }
            };
            // A line is made of numbers and strings: it can always be written as JSON.
            text.extend(serde_json::to_vec(&line).unwrap_or_default());
            text.push(b'\n');
            written.push((line, answer));
        }
        if written.is_empty() {
            return;
        }
        let durable = self.append(&text);
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        if durable {
            shelf.bytes += text.len() as u64;
        }
        for (line, answer) in written {
            let outcome = if durable {
                Ok(shelf.add(line))
            } else {
                Err(Refusal::Unwritten)
            };
            // Who asked may have hung up: it is in the book all the same.
            let _ = answer.send(outcome);
        }
    }

    fn line(
        &self,
        seq: u64,
        order: Order,
        refunded_here: &mut HashSet<Uuid>,
    ) -> Result<(Line, Answer), (Refusal, Answer)> {
        let now = OffsetDateTime::now_utc();
        let at = now.format(&Rfc3339).unwrap_or_default();
        match order {
            Order::Charge {
                reference,
                amount,
                currency,
                answer,
            } => Ok((
                Line {
                    seq,
                    at,
                    kind: Kind::Charge,
                    id: Uuid::now_v7(),
                    reference,
                    amount,
                    currency,
                },
                answer,
            )),
            Order::Refund { id, answer } => {
                let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
                let Some(charge) = shelf.charges.get(&id) else {
                    return Err((Refusal::UnknownCharge, answer));
                };
                if charge.refunded || !refunded_here.insert(id) {
                    return Err((Refusal::AlreadyRefunded, answer));
                }
                Ok((
                    Line {
                        seq,
                        at,
                        kind: Kind::Refund,
                        id,
                        reference: charge.reference.clone(),
                        amount: charge.amount,
                        currency: charge.currency.clone(),
                    },
                    answer,
                ))
            }
        }
    }

    /// Adds to the file and waits for the disk; what could not be added whole is cut again.
    fn append(&mut self, text: &[u8]) -> bool {
        if self.is_broken {
            return false;
        }
        let added = self.file.write_all(text);
        if added.and_then(|()| self.file.sync_data()).is_ok() {
            return true;
        }
        let shelf = self.shelf.read().unwrap_or_else(PoisonError::into_inner);
        let cut = self.file.set_len(shelf.bytes);
        let cut = cut.and_then(|()| self.file.seek(SeekFrom::Start(shelf.bytes)));
        self.is_broken = cut.and_then(|_| self.file.sync_all()).is_err();
        false
    }
}
