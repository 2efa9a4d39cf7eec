//! Where the processes' lines go: all to their log files, the ones that matter to the terminal.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::board::{Board, Status};
use super::lines::{Ready, Shown, readable};
use super::log_file::{BOUND, LogFile};
use crate::terminal::{Paint, Screen};

/// A line longer than this is cut into lines of this length.
const LINE_BOUND: u64 = 256 * 1024;

pub(crate) struct Output {
    screen: Arc<Screen>,
    verbose: bool,
    /// The city is up: neither starting nor stopping.
    settled: AtomicBool,
}

impl Output {
    pub(crate) fn new(screen: Arc<Screen>, verbose: bool) -> Self {
        Self {
            screen,
            verbose,
            settled: AtomicBool::new(false),
        }
    }

    pub(crate) fn settled(&self, settled: bool) {
        self.settled.store(settled, Ordering::Relaxed);
    }

    fn shown(&self) -> Shown {
        match (self.verbose, self.settled.load(Ordering::Relaxed)) {
            (true, _) => Shown::All,
            (false, true) => Shown::Warnings,
            (false, false) => Shown::Errors,
        }
    }

    /// Something happened to a process.
    pub(crate) fn event(&self, process: &str, what: &str) {
        let paint = self.screen.paint();
        let process = paint.bold(&format!("{process:<13}"));
        self.screen
            .note(&format!("{process} {}", paint.yellow(what)));
    }

    /// Reads both streams of a process to their end. Gives the last line it wrote to standard
    /// error or logged as an error: why it died, most often.
    pub(crate) fn read(
        self: &Arc<Self>,
        process: &str,
        log: &Path,
        stdout: Option<ChildStdout>,
        stderr: Option<ChildStderr>,
        board: Board,
    ) -> JoinHandle<Option<String>> {
        let output = Arc::clone(self);
        let process = process.to_owned();
        let log = log.to_owned();
        tokio::spawn(async move {
            // Both streams end in one file; a short queue lets a slow disk hold the writers back.
            let (sender, lines) = mpsc::channel(64);
            let reading = async {
                tokio::join!(
                    read_lines(stdout, Stream::Out, sender.clone()),
                    read_lines(stderr, Stream::Error, sender.clone()),
                );
                drop(sender);
            };
            let (last, ()) = tokio::join!(output.sort(&process, &log, lines, &board), reading);
            last
        })
    }

    async fn sort(
        &self,
        process: &str,
        log: &Path,
        mut lines: mpsc::Receiver<(Stream, Vec<u8>)>,
        board: &Board,
    ) -> Option<String> {
        let mut file = LogFile::open(log, BOUND)
            .map_err(|error| self.event(process, &format!("log {}: {error}", log.display())))
            .ok();
        let mut last = None;
        let mut flow = Flow::new();
        while let Some((stream, line)) = lines.recv().await {
            if let Some(Err(error)) = file.as_mut().map(|file| file.append(&line)) {
                self.event(process, &format!("log {}: {error}", log.display()));
                file = None;
            }
            let line = line.trim_ascii_end();
            if let Some(ready) = Ready::parse(line) {
                board.update(process, |process| {
                    process.status = Status::Ready;
                    process.public = ready.public;
                    process.admin = ready.admin;
                    process.died = None;
                });
            } else if let Some(said) = self.show(process, stream, line, &mut flow) {
                last = Some(said);
            }
        }
        last
    }

    /// Shows what is to be shown; gives back what may be last words.
    fn show(&self, process: &str, stream: Stream, line: &[u8], flow: &mut Flow) -> Option<String> {
        let paint = self.screen.paint();
        let name = paint.bold(&format!("{process:<13}"));
        let said = readable(line, Shown::Errors, Paint::plain()).or_else(|| {
            // A line of a log that is not to be shown is nobody's last word.
            let logged = line.first() == Some(&b'{');
            let plain = stream == Stream::Error && !line.is_empty() && !logged;
            plain.then(|| String::from_utf8_lossy(line).into_owned())
        });
        let shown = readable(line, self.shown(), paint).or_else(|| said.clone());
        if let Some(text) = shown
            && let Some(withheld) = flow.passes(self.verbose, Instant::now())
        {
            if withheld > 0 {
                let more = format!("{withheld} more such lines are in its log");
                self.screen.note(&format!("{name} {}", paint.dim(&more)));
            }
            self.screen.note(&format!("{name} {text}"));
        }
        said
    }
}

/// How much of one process a person is shown: what fails, fails at the rate of the traffic.
struct Flow {
    second: Instant,
    shown: u32,
    withheld: u64,
}

impl Flow {
    const A_SECOND: u32 = 5;

    fn new() -> Self {
        Self {
            second: Instant::now(),
            shown: 0,
            withheld: 0,
        }
    }

    /// Whether a line is to be shown, and how many were not since the last one.
    fn passes(&mut self, all: bool, now: Instant) -> Option<u64> {
        if now.duration_since(self.second) >= Duration::from_secs(1) {
            self.second = now;
            self.shown = 0;
        }
        if !all && self.shown >= Self::A_SECOND {
            self.withheld += 1;
            return None;
        }
        self.shown += 1;
        Some(std::mem::take(&mut self.withheld))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Out,
    Error,
}

async fn read_lines(
    stream: Option<impl AsyncRead + Unpin>,
    which: Stream,
    lines: mpsc::Sender<(Stream, Vec<u8>)>,
) {
    let Some(stream) = stream else { return };
    let mut reader = BufReader::with_capacity(16 * 1024, stream);
    loop {
        let mut line = Vec::new();
        let read = (&mut reader)
            .take(LINE_BOUND)
            .read_until(b'\n', &mut line)
            .await;
        match read {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                if line.last() != Some(&b'\n') {
                    line.push(b'\n');
                }
                if lines.send((which, line)).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_not_shown() {
        let mut flow = Flow::new();
        let start = flow.second;
        let passed: Vec<_> = (0..100).filter_map(|_| flow.passes(false, start)).collect();
        assert_eq!(passed, [0; 5]);
        let later = start + Duration::from_secs(1);
        assert_eq!(flow.passes(false, later), Some(95));
        assert_eq!(flow.passes(false, later), Some(0));
        assert!((0..100).all(|_| flow.passes(true, later).is_some()));
    }
}
