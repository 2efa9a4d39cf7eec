//! Instructions, the code that they are in, and allocations, counted by valgrind's callgrind: exact
//! where time is noisy.

use std::collections::HashMap;
use std::process::Command;

use anyhow::{Context, Result};

use crate::handle::Worker;
use crate::subject::Variant;
use crate::worker::{self, Order};

/// Before anything is counted: caches, thread-local buffers and route tables are filled.
const WARM_UP: u64 = 2_000;
const REQUESTS: u64 = 4_000;

/// What the C library allocates with. A reallocation counts as one.
const ALLOCATORS: [&str; 6] = [
    "malloc",
    "calloc",
    "realloc",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
];

/// Of a cache line.
const LINE_BYTES: u64 = 64;

/// What one request takes on the thread that serves it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    pub(crate) instructions: f64,
    /// Cache lines of code that it runs through.
    pub(crate) lines: f64,
    pub(crate) allocations: f64,
}

/// Whether valgrind can be run.
pub(crate) fn is_installed() -> bool {
    let version = Command::new("valgrind").arg("--version").output();
    version.is_ok_and(|version| version.status.success())
}

/// Counts one subject.
pub(crate) fn measure(variant: Variant) -> Result<Cost> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");
    let wrapper = [
        "valgrind".to_owned(),
        "--quiet".to_owned(),
        "--tool=callgrind".to_owned(),
        "--separate-threads=yes".to_owned(),
        "--dump-instr=yes".to_owned(),
        format!("--zero-before={}", worker::MEASURED),
        format!("--dump-after={}", worker::MEASURED),
        format!("--callgrind-out-file={}", out.display()),
    ];
    let mut worker = Worker::start(variant, &wrapper)?;
    worker.run(WARM_UP)?;
    worker.flush()?;
    worker.tell::<()>(Order::Measured { times: REQUESTS })?;
    // valgrind runs one thread at a time, so that a peer's exporter starves and its queue overflows:
    // what it drops makes it look cheaper, never dearer.
    worker.end(1.0)?;
    // The first dump, of the first thread: the others and the end of the process have their own.
    let dump = folder.path().join("out.1-01");
    let text = std::fs::read_to_string(dump)
        .with_context(|| format!("callgrind has not seen {}", worker::MEASURED))?;
    let counted = parse(&text, REQUESTS)?;
    Ok(Cost {
        instructions: counted.instructions as f64 / REQUESTS as f64,
        lines: counted.lines as f64,
        allocations: counted.allocations as f64 / REQUESTS as f64,
    })
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counted {
    instructions: u64,
    lines: usize,
    allocations: u64,
}

/// Reads one file in the
/// [callgrind format](https://valgrind.org/docs/manual/cl-format.html): `(7) name` gives a name
/// the number 7, `(7)` refers to it, and `calls=` after `cfn=` says how often it was called. Of
/// code, the lines count of which a request runs an instruction at least, on average.
fn parse(text: &str, requests: u64) -> Result<Counted> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut called = "";
    let mut counted = Counted::default();
    let mut code = Code::default();
    for line in text.lines() {
        code.read(line)?;
        let named = line.strip_prefix("fn=").or(line.strip_prefix("cfn="));
        if let Some(named) = named {
            let (number, name) = named.split_once(' ').unwrap_or((named, ""));
            if !name.is_empty() {
                names.insert(number, name);
            }
            called = number;
        } else if let Some(calls) = line.strip_prefix("calls=") {
            let count = calls.split(' ').next().unwrap_or_default();
            let name = names.get(called).copied().unwrap_or_default();
            if ALLOCATORS.contains(&name) {
                counted.allocations += count.parse::<u64>().context("a count of calls")?;
            }
        } else if let Some(total) = line.strip_prefix("totals: ") {
            counted.instructions = total.trim().parse().context("the sum of instructions")?;
        }
    }
    counted.lines = code.lines(requests);
    Ok(counted)
}

/// Where the instructions are that were run.
#[derive(Debug, Default)]
struct Code<'a> {
    /// The number of the program or library, and with its name the first time.
    object: &'a str,
    address: u64,
    /// The next line is what was called, not what was run here.
    is_call: bool,
    /// How many instructions were run in a line.
    run: HashMap<(&'a str, u64), u64>,
}

impl<'a> Code<'a> {
    fn read(&mut self, line: &'a str) -> Result<()> {
        if let Some(object) = line.strip_prefix("ob=") {
            self.object = object.split(' ').next().unwrap_or_default();
        }
        if line.starts_with("calls=") {
            self.is_call = true;
            return Ok(());
        }
        if !line.starts_with(['0', '+', '-', '*']) {
            return Ok(());
        }
        let mut columns = line.split(' ');
        self.move_to(columns.next().unwrap_or_default())?;
        let is_call = std::mem::take(&mut self.is_call);
        if let (false, Some(cost)) = (is_call, columns.nth(1)) {
            let line = (self.object, self.address / LINE_BYTES);
            *self.run.entry(line).or_default() +=
                cost.parse::<u64>().context("a count of instructions")?;
        }
        Ok(())
    }

    /// To an address, or so far from the last one.
    fn move_to(&mut self, place: &str) -> Result<()> {
        let number = |digits: &str| {
            let hexadecimal = digits.strip_prefix("0x");
            hexadecimal
                .map_or_else(|| digits.parse(), |digits| u64::from_str_radix(digits, 16))
                .with_context(|| format!("{place:?} is no address"))
        };
        self.address = match place.split_at_checked(1) {
            Some(("*", "")) => self.address,
            Some(("+", further)) => self.address + number(further)?,
            Some(("-", back)) => self.address - number(back)?,
            _ => number(place)?,
        };
        Ok(())
    }

    fn lines(&self, requests: u64) -> usize {
        self.run.values().filter(|run| **run >= requests).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_by_number_and_by_name() {
        let text = "events: Ir\n\
            fn=(1) worker::measured\n0x12 7 30\n\
            cfn=(2) malloc\ncalls=3 0x80 0\n* * 90\n\
            cfn=(3) mallocator\ncalls=9 0x80 0\n* * 90\n\
            fn=(4) other\n\
            cfn=(2)\ncalls=2 0x80 0\n+2 +7 60\n\
            cfn=(5) realloc\ncalls=1 0x80 +3\n* * 60\n\
            totals: 330\n";
        let counted = parse(text, 1).unwrap();
        assert_eq!(counted.instructions, 330);
        assert_eq!(counted.allocations, 6);
    }

    #[test]
    fn code_is_counted_by_lines_that_every_request_runs_through() {
        let text = "positions: instr line\nevents: Ir\n\
            ob=(1) program\nfl=(1) file\nfn=(1) f\n\
            0x1000 1 4\n+3 * 4\n+61 +1 4\n\
            cfn=(2) g\ncalls=4 0x9000 9\n* * 400\n\
            -64 5 4\n+1024 5 3\n\
            ob=(2) library\nfn=(2)\n0x1000 1 4\n\
            fn=(3) seldom\n0x8000 1 1\n\
            totals: 24\n";
        // Two of the program's, and one at the same place of the library.
        assert_eq!(parse(text, 4).unwrap().lines, 3);
        assert_eq!(parse(text, 1).unwrap().lines, 5);
        assert!(parse("0xwhere 1 4\n", 1).is_err());
    }
}
