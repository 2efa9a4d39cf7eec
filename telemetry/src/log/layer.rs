//! Events of `tracing` as lines.

use std::cell::RefCell;

use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;

use super::Format;
use super::head::{self, Head, Service};
use super::human;
use super::json;
use super::lines::LineWriter;
use super::time::Stamp;

/// Writes each event as one line.
#[derive(Debug)]
pub(super) struct LogLayer {
    pub(super) format: Format,
    pub(super) lines: LineWriter,
    /// Named on lines outside any request.
    pub(super) service: Box<str>,
    pub(super) colours: bool,
}

/// What one thread uses again for each line.
#[derive(Debug, Default)]
struct Buffers {
    line: Vec<u8>,
    stamp: Stamp,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let shared = BUFFERS.try_with(|buffers| match buffers.try_borrow_mut() {
            Ok(mut buffers) => {
                self.write(event, &mut buffers);
                true
            }
            Err(_) => false,
        });
        // A value whose `Debug` logs, or a thread that is going away.
        if shared != Ok(true) {
            self.write(event, &mut Buffers::default());
        }
    }
}

impl LogLayer {
    fn write(&self, event: &Event<'_>, buffers: &mut Buffers) {
        let Buffers { line, stamp } = buffers;
        line.clear();
        let metadata = event.metadata();
        let head = Head {
            timestamp: stamp.now(),
            level: *metadata.level(),
            target: metadata.target(),
            service: Service(&self.service),
            ids: head::ids(),
        };
        match self.format {
            Format::Json => {
                let mut fields = json::open(line, &head);
                event.record(&mut fields);
                fields.finish();
            }
            Format::Human => {
                let mut fields = human::open(line, &head, self.colours);
                event.record(&mut fields);
                fields.finish();
            }
        }
        self.lines.write(line);
    }
}
