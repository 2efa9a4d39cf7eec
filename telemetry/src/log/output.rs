//! Where lines are written, by the layer and by what sums up those that were left out.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use opentelemetry::Context;
use tracing::Event;

use super::head::{self, Head, Members, Service};
use super::human::Screen;
use super::lines::LineWriter;
use super::record;
use super::records::Records;
use super::repeats::{Place, Repeats, Verdict};
use super::time::Stamp;
use super::{human, json};
use crate::clock::wall_now;
use crate::context::current;
use crate::core;

/// How lines look, once that is decided.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Json,
    Human(Screen),
}

/// A sink and the form of its lines.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) form: Form,
    pub(super) lines: LineWriter,
    /// Named on lines outside any request.
    pub(super) service: Box<str>,
    pub(super) repeats: Option<Repeats>,
    /// Takes what is logged outside any request.
    pub(super) home: OnceLock<Weak<Records>>,
}

/// What one thread uses again for each line.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    line: Vec<u8>,
    stamp: Stamp,
    /// A target as the scope of a record. Targets are static, so there is an end of them.
    scopes: HashMap<&'static str, Arc<[u8]>>,
    /// Lines written so far.
    pub(super) written: u64,
}

impl Output {
    /// Whether one more line of `place` is written now.
    pub(super) fn admits(self: &Arc<Self>, place: Place) -> bool {
        let Some(repeats) = &self.repeats else {
            return true;
        };
        match repeats.admit(place) {
            Verdict::Write { left_out: 0 } => true,
            Verdict::Write { left_out } => {
                self.summarise(place, left_out);
                true
            }
            Verdict::LeaveOut { first } => {
                if first {
                    self.start_sweeping(repeats);
                }
                false
            }
        }
    }

    pub(super) fn event(&self, event: &Event<'_>, buffers: &mut Buffers) {
        let Buffers {
            line,
            stamp,
            scopes,
            written,
        } = buffers;
        *written += 1;
        line.clear();
        let metadata = event.metadata();
        let ids = head::ids();
        let head = Head {
            timestamp: stamp.now(),
            level: *metadata.level(),
            target: metadata.target(),
            service: Service(&self.service),
            ids,
        };
        match self.form {
            Form::Json => {
                let mut fields = json::open(line, &head);
                event.record(&mut fields);
                fields.finish();
            }
            Form::Human(screen) => {
                let mut fields = human::open(line, &head, screen);
                event.record(&mut fields);
                fields.finish();
            }
        }
        self.lines.write(line);
        if let Some(records) = self.records() {
            line.clear();
            record::write(line, event, records.limits(), wall_now(), ids);
            let scope = || core::scope(metadata.target(), "");
            records.push(scopes.entry(metadata.target()).or_insert_with(scope), line);
        }
    }

    /// Who exports what is logged now, if anybody does. Not what exporting itself has to say: each
    /// request would be followed by another.
    fn records(&self) -> Option<Arc<Records>> {
        let records = current::with_current(|current| current.core.records.clone());
        let records = records.unwrap_or_else(|| self.home.get()?.upgrade())?;
        (!Context::is_current_telemetry_suppressed()).then_some(records)
    }

    /// Sums up what was left out, also where its window is not over yet.
    pub(super) fn sum_up(&self) {
        self.sweep(true);
    }

    /// Time until the next window ends of which something was left out.
    fn sweep(&self, all: bool) -> Option<Duration> {
        let repeats = self.repeats.as_ref()?;
        repeats.sweep(all, |place, left_out| self.summarise(place, left_out))
    }

    fn summarise(&self, place: Place, left_out: u64) {
        let mut line = Vec::new();
        let head = Head {
            timestamp: Stamp::default().now(),
            level: *place.level(),
            target: place.target(),
            service: Service(&self.service),
            ids: None,
        };
        match self.form {
            Form::Json => {
                let mut fields = json::open(&mut line, &head);
                summary(&mut fields, place, left_out);
                fields.finish();
            }
            Form::Human(screen) => {
                let mut fields = human::open(&mut line, &head, screen);
                summary(&mut fields, place, left_out);
                fields.finish();
            }
        }
        self.lines.write(&line);
        if let Some(records) = self.records() {
            line.clear();
            let now = wall_now();
            let mut fields = record::open(&mut line, place, records.limits(), now, None);
            summary(&mut fields, place, left_out);
            fields.finish();
            records.push(&core::scope(place.target(), ""), &line);
        }
    }

    /// A thread writes summaries as long as there are any to come. Without one they come with the
    /// next line of the place, or a flush.
    fn start_sweeping(self: &Arc<Self>, repeats: &Repeats) {
        if repeats.sweeping.swap(true, Ordering::SeqCst) {
            return;
        }
        let output = Arc::downgrade(self);
        let thread = thread::Builder::new().name("log-repeats".to_owned());
        if thread.spawn(move || sweep_until_quiet(&output)).is_err() {
            repeats.sweeping.store(false, Ordering::SeqCst);
        }
    }
}

fn sweep_until_quiet(output: &Weak<Output>) {
    // Whoever drops it sums up.
    while let Some(output) = output.upgrade() {
        let Some(repeats) = &output.repeats else {
            return;
        };
        let mut wait = output.sweep(false);
        if wait.is_none() {
            repeats.sweeping.store(false, Ordering::SeqCst);
            // A line that was left out just now relied on this thread.
            wait = output.sweep(false);
            if wait.is_none() || repeats.sweeping.swap(true, Ordering::SeqCst) {
                return;
            }
        }
        drop(output);
        thread::sleep(wait.unwrap_or_default());
    }
}

fn summary(fields: &mut impl Members, place: Place, left_out: u64) {
    fields.text("message", "lines like those before were left out");
    fields.number("suppressed", left_out);
    if let Some(file) = place.file() {
        fields.text("code.file.path", file);
    }
    if let Some(line) = place.line() {
        fields.number("code.line.number", line.into());
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.sum_up();
    }
}
