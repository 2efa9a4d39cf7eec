use std::io::Read;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Fires `stopping` on SIGTERM and SIGINT.
pub(super) fn stop_on_signal(stopping: &CancellationToken) {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        match signal(kind) {
            Ok(mut received) => {
                let stopping = stopping.clone();
                tokio::spawn(async move {
                    received.recv().await;
                    stopping.cancel();
                });
            }
            Err(error) => tracing::warn!(%error, "cannot listen for signals"),
        }
    }
}

/// Fires `stopping` when stdin closes. A thread of its own: a blocking read on the runtime would
/// hold up its end.
pub(super) fn stop_when_stdin_closes(stopping: CancellationToken) {
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut sink = [0; 256];
        while matches!(stdin.read(&mut sink), Ok(read) if read > 0) {}
        stopping.cancel();
    });
}
