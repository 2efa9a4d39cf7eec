//! The bank outside the city: what it has charged and refunded stands in its own book.
//!
//! It is *naive*: two charges with one reference are two charges. Whoever wants a payment to be
//! made once must see to that himself, as the payments service does. It finishes what it was
//! asked for even if the asker hangs up, and by its settings it is slow, declines, fails or goes
//! silent, before it has charged and also after.
//!
//! It has no telemetry and shares no code with the city: in a trace its side is missing, as that
//! of a real bank would be, and its book can be held against what the city believes.

mod bank;
mod book;
mod moods;
mod options;
mod run;

pub use book::BookError;
pub use moods::{InvalidMoods, Moods};
pub use options::Options;
pub use run::{Acquirer, Error, run};
