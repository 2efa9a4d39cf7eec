//! Instructions and allocations, counted by valgrind's callgrind: exact where time is noisy.

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

/// What one request takes on the thread that serves it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    pub(crate) instructions: f64,
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
    let counted = parse(&text)?;
    Ok(Cost {
        instructions: counted.instructions as f64 / REQUESTS as f64,
        allocations: counted.allocations as f64 / REQUESTS as f64,
    })
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counted {
    instructions: u64,
    allocations: u64,
}

/// Reads one file in the
/// [callgrind format](https://valgrind.org/docs/manual/cl-format.html): `(7) name` gives a name
/// the number 7, `(7)` refers to it, and `calls=` after `cfn=` says how often it was called.
fn parse(text: &str) -> Result<Counted> {
    let mut names: HashMap<&str, &str> = HashMap::new();
    let mut called = "";
    let mut counted = Counted::default();
    for line in text.lines() {
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
    Ok(counted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_by_number_and_by_name() {
        let text = "events: Ir\n\
            fn=(1) worker::measured\n12 30\n\
            cfn=(2) malloc\ncalls=3 0\n12 90\n\
            cfn=(3) mallocator\ncalls=9 0\n12 90\n\
            fn=(4) other\n\
            cfn=(2)\ncalls=2 0\n14 60\n\
            cfn=(5) realloc\ncalls=1 +3\n14 60\n\
            totals: 330\n";
        let expected = Counted {
            instructions: 330,
            allocations: 6,
        };
        assert_eq!(parse(text).unwrap(), expected);
    }
}
