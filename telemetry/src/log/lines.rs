//! Whole lines to one sink, in order, by a thread of their own.
//!
//! Whoever writes a line appends it to a bounded buffer under a short lock and goes on: a
//! pipe that nobody reads, a slow disk or a stopped terminal never holds up a request.
//! When the buffer is full, lines are dropped whole and counted.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::sync::lock;

/// Bytes that wait for the sink at most.
const CAPACITY: usize = 1024 * 1024;
/// With this many bytes waiting, the thread does not wait for more company.
const BATCH: usize = 32 * 1024;
/// How long the first line of a batch waits for company: one wake-up then serves many
/// lines, and a reader sees them soon enough to call it at once.
const LINGER: Duration = Duration::from_millis(5);

/// Writes whole lines without blocking. Clones share one buffer, so lines of many threads
/// and of several services never run into each other.
#[derive(Debug, Clone)]
pub struct LineWriter {
    shared: Arc<Shared>,
    /// Its drop, with the last clone, ends the thread.
    _open: Arc<Open>,
}

#[derive(Debug)]
struct Shared {
    capacity: usize,
    state: Mutex<State>,
    /// Something for the thread to do.
    work: Condvar,
    /// The thread has written something.
    progress: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    /// Bytes ever accepted, and bytes the thread is done with.
    accepted: u64,
    done: u64,
    hurry: bool,
    closed: bool,
}

#[derive(Debug)]
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.0.state).closed = true;
        self.0.work.notify_one();
    }
}

static STDOUT: OnceLock<LineWriter> = OnceLock::new();

impl LineWriter {
    /// The process's standard output. There is one such writer, however often it is asked for.
    #[must_use]
    pub fn stdout() -> LineWriter {
        STDOUT
            .get_or_init(|| LineWriter::new(std::io::stdout(), CAPACITY))
            .clone()
    }

    /// Standard output's writer, unless nobody ever asked for it.
    pub(super) fn stdout_if_used() -> Option<LineWriter> {
        STDOUT.get().cloned()
    }

    /// Lines that standard output has lost so far.
    pub(crate) fn stdout_dropped() -> u64 {
        STDOUT.get().map_or(0, LineWriter::dropped)
    }

    /// A writer to any sink, with room for `capacity` bytes of waiting lines. What the sink
    /// refuses counts as dropped. When the last clone is dropped, the rest is written and
    /// the thread ends.
    #[must_use]
    pub fn new(sink: impl Write + Send + 'static, capacity: usize) -> LineWriter {
        let shared = Arc::new(Shared {
            capacity,
            state: Mutex::default(),
            work: Condvar::new(),
            progress: Condvar::new(),
            dropped: AtomicU64::new(0),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("log-lines".to_owned());
        if thread.spawn(move || theirs.run(sink)).is_err() {
            // Without a thread nothing can be written; the count says so.
            lock(&shared.state).closed = true;
        }
        LineWriter {
            _open: Arc::new(Open(Arc::clone(&shared))),
            shared,
        }
    }

    /// Accepts one line, or several whole ones; a missing last newline is added. Never waits
    /// for the sink.
    pub fn write(&self, lines: &[u8]) {
        self.accepts(lines);
    }

    /// The same; false if there was no room and the lines are lost.
    pub(crate) fn accepts(&self, lines: &[u8]) -> bool {
        if lines.is_empty() {
            return true;
        }
        let unfinished = usize::from(lines.last() != Some(&b'\n'));
        let mut state = lock(&self.shared.state);
        let before = state.waiting.len();
        let after = before + lines.len() + unfinished;
        if state.closed || after > self.shared.capacity {
            drop(state);
            let newlines = count_lines(lines) + unfinished as u64;
            self.shared.dropped.fetch_add(newlines, Ordering::Relaxed);
            return false;
        }
        state.waiting.extend_from_slice(lines);
        if unfinished == 1 {
            state.waiting.push(b'\n');
        }
        state.accepted += (after - before) as u64;
        drop(state);
        if before == 0 || (before < BATCH && after >= BATCH) {
            self.shared.work.notify_one();
        }
        true
    }

    /// Waits until every line accepted so far is with the sink, at most for `timeout`.
    /// `false` when time ran out. Blocks the thread.
    pub fn flush(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = lock(&self.shared.state);
        let target = state.accepted;
        while state.done < target {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state.hurry = true;
            self.shared.work.notify_one();
            let waited = self.shared.progress.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Lines lost so far: the buffer was full, or the sink refused them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn run(&self, mut sink: impl Write) {
        let mut batch = Vec::new();
        while self.take(&mut batch) {
            if sink.write_all(&batch).and_then(|()| sink.flush()).is_err() {
                self.dropped
                    .fetch_add(count_lines(&batch), Ordering::Relaxed);
            }
            lock(&self.state).done += batch.len() as u64;
            self.progress.notify_all();
            batch.clear();
            // A burst's memory is not kept for ever.
            batch.shrink_to(2 * BATCH);
        }
    }

    /// Waits for lines and swaps them into the empty `batch`; `false` at the end.
    fn take(&self, batch: &mut Vec<u8>) -> bool {
        let mut state = lock(&self.state);
        while state.waiting.is_empty() && !state.closed {
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let alone =
            |state: &mut State| !state.hurry && !state.closed && state.waiting.len() < BATCH;
        let waited = self.work.wait_timeout_while(state, LINGER, alone);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.hurry = false;
        std::mem::swap(&mut state.waiting, batch);
        !batch.is_empty()
    }
}

fn count_lines(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    const LONG: Duration = Duration::from_secs(30);

    /// A sink that lets one write through for each permit.
    struct Gate {
        permits: mpsc::Receiver<()>,
        seen: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.permits.recv().map_err(std::io::Error::other)?;
            self.seen
                .send(bytes.to_vec())
                .map_err(std::io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn gate() -> (mpsc::Sender<()>, mpsc::Receiver<Vec<u8>>, Gate) {
        let (permit, permits) = mpsc::channel();
        let (seen, lines) = mpsc::channel();
        (permit, lines, Gate { permits, seen })
    }

    #[test]
    fn a_stuck_sink_costs_lines_and_not_time() {
        let (permit, lines, gate) = gate();
        let writer = LineWriter::new(gate, 100);
        for _ in 0..1_000 {
            writer.write(b"0123456789\n");
        }
        assert!(!writer.flush(Duration::ZERO));
        let lost = writer.dropped();
        // At most one full buffer is with the sink and one waits.
        assert!((1_000 - 18..1_000).contains(&lost), "{lost}");
        permit.send(()).unwrap();
        permit.send(()).unwrap();
        assert!(writer.flush(LONG));
        drop(permit);
        drop(writer);
        let arrived: Vec<u8> = lines.iter().flatten().collect();
        assert_eq!(count_lines(&arrived) + lost, 1_000);
        assert_eq!(arrived.len() % 11, 0);
    }

    #[test]
    fn lines_of_many_threads_arrive_whole() {
        let (permit, lines, gate) = gate();
        let writer = LineWriter::new(gate, CAPACITY);
        for _ in 0..5_000 {
            permit.send(()).unwrap();
        }
        let threads: Vec<_> = (b'a'..b'e')
            .map(|letter| {
                let writer = writer.clone();
                std::thread::spawn(move || {
                    for length in 1..500 {
                        writer.write(&vec![letter; length]);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(writer.flush(LONG));
        assert_eq!(writer.dropped(), 0);
        drop((writer, permit));
        let arrived: Vec<u8> = lines.iter().flatten().collect();
        let arrived: Vec<&[u8]> = arrived.split(|byte| *byte == b'\n').collect();
        assert_eq!(arrived.len(), 4 * 499 + 1);
        for line in arrived {
            assert!(line.iter().all(|byte| *byte == line[0]));
        }
    }

    #[test]
    fn what_the_sink_refuses_is_counted() {
        let (permit, _lines, gate) = gate();
        drop(permit);
        let writer = LineWriter::new(gate, CAPACITY);
        writer.write(b"one\ntwo");
        assert!(writer.flush(LONG));
        assert_eq!(writer.dropped(), 2);
    }
}
