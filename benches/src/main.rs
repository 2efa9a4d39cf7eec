//! What telemetry costs: instructions, allocations and CPU time over the same service without it,
//! and beside its peers in the same run.
//!
//! It only measures; nothing depends on it. Instructions, allocations and correctness are held to
//! their bars, times are reported and never asserted.

mod callgrind;
mod cost;
#[cfg(feature = "events")]
mod events;
mod faults;
mod handle;
mod lines;
mod load;
mod ours;
#[cfg(feature = "peers")]
mod peers;
mod pin;
mod report;
mod request;
mod section;
mod sections;
mod sink;
mod soak;
mod spans;
mod stats;
mod subject;
mod table;
mod times;
mod worker;

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, ensure};

const USAGE: &str = "usage: scripts/bench [PART]
  without a part: everything, and the tables in benches/RESULTS.md
  cost            instructions and allocations (needs valgrind; without the peers)
  points          those of fault points alone
  requests        CPU time of a request
  spans           CPU time of a child span of tracing
  lines           CPU time of a request with a JSON line
  loopback        CPU time of a server over loopback
  events          commit to effect, the price of the outbox, rebuilds; benches/EVENTS.md
  soak [SECONDS]  a collector that accepts and never answers (60 s)";

fn main() -> Result<ExitCode> {
    #[cfg(feature = "events")]
    if std::env::var_os(events::EFFECTS).is_some() {
        return Ok(events::serve());
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["worker", name, sink] = *arguments {
        worker::serve(name, sink)?;
        return Ok(ExitCode::SUCCESS);
    }
    #[cfg(feature = "events")]
    if let ["events"] = *arguments {
        return Ok(if events::measure()? {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let peers = cfg!(feature = "peers");
    ensure!(
        peers || matches!(*arguments, ["cost" | "points"]),
        "built without the peers, this knows `cost` and `points` only: run scripts/bench"
    );
    let holds = match *arguments {
        [] => report::everything()?,
        ["cost"] => {
            // Both, though the first has failed.
            let requests = report::part(cost::measure(peers))?;
            report::part(cost::measure_points())? && requests
        }
        ["points"] => report::part(cost::measure_points())?,
        ["requests"] => report::part(sections::requests())?,
        ["spans"] => report::part(sections::spans())?,
        ["lines"] => report::part(sections::lines())?,
        ["loopback"] => report::part(sections::loopback())?,
        ["soak"] => report::part(sections::soak(60, peers))?,
        ["soak", seconds] => report::part(sections::soak(seconds.parse()?, peers))?,
        _ => {
            writeln!(std::io::stderr(), "{USAGE}")?;
            return Ok(ExitCode::from(2));
        }
    };
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
