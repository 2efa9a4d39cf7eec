//! Events of `tracing` as lines.

use std::cell::RefCell;
use std::sync::Arc;

use tracing::{Event, Subscriber};
use tracing_subscriber::layer::Context;

use super::output::{Buffers, Output};

/// Writes each event as one line.
#[derive(Debug)]
pub(super) struct LogLayer {
    pub(super) output: Arc<Output>,
}

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// Lines that this thread has written so far, unless it is writing one.
pub(super) fn written() -> Option<u64> {
    let read = |buffers: &RefCell<Buffers>| Some(buffers.try_borrow().ok()?.written);
    BUFFERS.try_with(read).ok().flatten()
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !self.output.admits(event.metadata()) {
            return;
        }
        let shared = BUFFERS.try_with(|buffers| match buffers.try_borrow_mut() {
            Ok(mut buffers) => {
                self.output.event(event, &mut buffers);
                true
            }
            Err(_) => false,
        });
        // A value whose `Debug` logs, or a thread that is going away.
        if shared != Ok(true) {
            self.output.event(event, &mut Buffers::default());
        }
    }
}
