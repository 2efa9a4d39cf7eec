//! What telemetry costs: instructions, allocations and CPU time over the same service without it,
//! and beside its peers in the same run.
//!
//! It only measures; nothing depends on it. Instructions and allocations are held to their bars,
//! times are reported and never asserted.

mod callgrind;
mod cost;
mod ours;
mod request;
mod sink;
mod subject;
mod table;
mod worker;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "usage: scripts/bench [cost]
  cost   instructions and allocations only (needs valgrind)";

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let met = match *arguments {
        ["cost"] => cost::run()?,
        // What the others start.
        ["worker", name, sink] => {
            worker::serve(name, sink)?;
            true
        }
        _ => bail!("{USAGE}"),
    };
    Ok(if met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
