//! What a terminal is told: colours where they help, one live line, width.
//!
//! Data goes to standard output and nothing else does; progress, notes and warnings go to standard
//! error, so that a script can read the one and a person the other.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// Colours, or none: only on a terminal, never under `NO_COLOR` (<https://no-color.org>).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    pub(crate) fn stdout() -> Self {
        Self::when(io::stdout().is_terminal())
    }

    pub(crate) fn stderr() -> Self {
        Self::when(io::stderr().is_terminal())
    }

    pub(crate) const fn plain() -> Self {
        Self { on: false }
    }

    fn when(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self {
            on: terminal && !refused && !dumb,
        }
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    pub(crate) fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// One of six colours, the same for the same index.
    pub(crate) fn hue(self, index: usize, text: &str) -> String {
        const CODES: [&str; 6] = ["36", "35", "34", "32", "33", "96"];
        self.wrap(CODES[index % CODES.len()], text)
    }
}

/// Data for standard output. Whoever closes it early (`| head`) has seen enough.
pub(crate) fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    if stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .is_err()
    {
        std::process::exit(0);
    }
}

/// `print!`, for a reader that may go away.
macro_rules! out {
    ($($text:tt)*) => { $crate::terminal::print(&format!($($text)*)) };
}

/// `println!`, for a reader that may go away.
macro_rules! outln {
    ($($text:tt)*) => { $crate::terminal::print(&(format!($($text)*) + "\n")) };
}

pub(crate) use {out, outln};

/// Columns of the terminal on standard output; 100 where there is none.
pub(crate) fn width() -> usize {
    const WITHOUT_TERMINAL: usize = 100;
    let asked = std::env::var("COLUMNS")
        .ok()
        .and_then(|value| value.parse().ok());
    let of_terminal = || {
        rustix::termios::tcgetwinsize(io::stdout())
            .ok()
            .map(|size| usize::from(size.ws_col))
    };
    asked
        .or_else(of_terminal)
        .filter(|&columns| columns > 0)
        .unwrap_or(WITHOUT_TERMINAL)
}

/// Standard error, shared by everyone who reports: one line may be live, others pass above it.
#[derive(Debug)]
pub(crate) struct Screen {
    paint: Paint,
    terminal: bool,
    live: Mutex<String>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self {
            paint: Paint::stderr(),
            terminal: io::stderr().is_terminal(),
            live: Mutex::new(String::new()),
        }
    }

    pub(crate) const fn paint(&self) -> Paint {
        self.paint
    }

    pub(crate) const fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// A line that stays.
    pub(crate) fn note(&self, line: &str) {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stderr = io::stderr().lock();
        // A closed terminal is no reason to stop the city.
        let _ = if live.is_empty() {
            writeln!(stderr, "{line}")
        } else {
            write!(stderr, "\r\x1b[2K{line}\n{live}\r")
        };
        let _ = stderr.flush();
    }

    /// The live line, redrawn in place; nothing where there is no terminal.
    pub(crate) fn live(&self, line: &str) {
        if !self.terminal {
            return;
        }
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        let columns = width();
        *live = line.chars().take(columns.saturating_sub(1)).collect();
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "\r\x1b[2K{live}\r");
        let _ = stderr.flush();
    }

    /// Takes the live line away.
    pub(crate) fn clear(&self) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if !live.is_empty() {
            live.clear();
            let mut stderr = io::stderr().lock();
            let _ = write!(stderr, "\r\x1b[2K");
            let _ = stderr.flush();
        }
    }
}

/// A duration as people read it: `820 µs`, `3.4 ms`, `1.25 s`.
pub(crate) fn duration(micros: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // shown with three digits
    let value = micros as f64;
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..100_000 => format!("{:.1} ms", value / 1e3),
        100_000..1_000_000 => format!("{:.0} ms", value / 1e3),
        _ => format!("{:.2} s", value / 1e6),
    }
}

/// Bytes as people read them: `512 B`, `3.4 MB` (decimal, as memory limits are written here).
pub(crate) fn bytes(count: u64) -> String {
    #[allow(clippy::cast_precision_loss)] // shown with three digits
    let value = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.2} GB", value / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_bytes_keep_three_digits() {
        assert_eq!(duration(820), "820 µs");
        assert_eq!(duration(3_400), "3.4 ms");
        assert_eq!(duration(420_000), "420 ms");
        assert_eq!(duration(1_250_000), "1.25 s");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(3_400_000), "3.4 MB");
    }

    #[test]
    fn plain_paint_adds_nothing() {
        assert_eq!(Paint::plain().red("down"), "down");
        assert_eq!(Paint { on: true }.red("down"), "\x1b[31mdown\x1b[0m");
    }
}
