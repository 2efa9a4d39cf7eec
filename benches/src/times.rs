//! CPU time of many subjects, side by side: every repetition takes each of them in turn, so that
//! whatever else the machine does meets all alike.

use std::io::Write;

use anyhow::{Context, Result};

use crate::handle::{MAY_LOSE, Worker};
use crate::stats::Series;
use crate::subject::Variant;

const REPETITIONS: usize = 9;
const BURSTS: u32 = 5;
const BURST: u64 = 4_000;

/// CPU time for one of what was done, in nanoseconds, by repetition.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    pub(crate) variant: Variant,
    /// The thread that does it, in the quickest burst of each repetition.
    pub(crate) thread: Series,
    /// The whole process, what encodes and sends included.
    pub(crate) process: Series,
    /// The share of its spans that arrived.
    pub(crate) arrived: f64,
}

/// What was measured side by side.
#[derive(Debug, Clone)]
pub(crate) struct SideBySide(Vec<Times>);

impl SideBySide {
    pub(crate) fn of(&self, variant: Variant) -> Result<&Times> {
        self.0
            .iter()
            .find(|times| times.variant == variant)
            .with_context(|| format!("{} was not measured", variant.name))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Times> {
        self.0.iter()
    }
}

pub(crate) fn measure(variants: &[Variant]) -> Result<SideBySide> {
    let mut workers = Vec::new();
    let mut times = Vec::new();
    for &variant in variants {
        let mut worker = Worker::start(variant, &[])?;
        worker.run(BURST)?;
        worker.flush()?;
        workers.push(worker);
        times.push(Times {
            variant,
            thread: Series::default(),
            process: Series::default(),
            arrived: 0.0,
        });
    }
    for repetition in 0..REPETITIONS {
        for turn in 0..workers.len() {
            // Each time another goes first.
            let which = (turn + repetition) % workers.len();
            let worker = &mut workers[which];
            writeln!(
                std::io::stderr(),
                "timing {}/{REPETITIONS}: {}",
                repetition + 1,
                worker.variant.title
            )?;
            let round = worker.round(BURSTS, BURST)?;
            times[which].thread.0.push(round.thread);
            times[which].process.0.push(round.process);
            // Decoded by and by: all repetitions of all variants would fill the memory.
            worker.arrived()?;
        }
    }
    for (worker, times) in workers.into_iter().zip(&mut times) {
        times.arrived = worker.end(MAY_LOSE)?;
    }
    Ok(SideBySide(times))
}
