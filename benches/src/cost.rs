//! Instructions and allocations of a request, held to their bars.

use std::io::Write;

use anyhow::{Result, bail};

use crate::callgrind::{self, Cost};
use crate::subject::{
    BARE, IDENTITY, OURS, OURS_OFF, OURS_ONE, OURS_PARENT, OURS_PARENT_OFF, Variant,
};
use crate::table::{Table, thousands};

/// What a request may cost: instructions over bare axum, allocations over a layer that does nothing
/// (axum asks for some itself, whatever the layer).
#[derive(Debug, Clone, Copy)]
struct Bar {
    instructions: f64,
    allocations: f64,
}

const SAMPLED: Bar = Bar {
    instructions: 6_500.0,
    allocations: 3.0,
};
const UNSAMPLED: Bar = Bar {
    instructions: 3_500.0,
    allocations: 2.0,
};
const HELD: [(Variant, Option<Bar>); 5] = [
    (OURS, Some(SAMPLED)),
    (OURS_PARENT, Some(SAMPLED)),
    (OURS_OFF, Some(UNSAMPLED)),
    (OURS_PARENT_OFF, Some(UNSAMPLED)),
    (OURS_ONE, None),
];

/// Measures, prints, and tells whether all bars are met.
pub(crate) fn run() -> Result<bool> {
    if !callgrind::is_installed() {
        bail!("valgrind is missing: apt-get install valgrind (or your system's way)");
    }
    let mut out = std::io::stdout().lock();
    let measure = |variant: Variant| -> Result<Cost> {
        writeln!(std::io::stderr(), "counting: {}", variant.title)?;
        callgrind::measure(variant)
    };
    let bare = measure(BARE)?;
    let identity = measure(IDENTITY)?;
    let mut table = Table::new(&[
        "per request, its thread",
        "instr.",
        "over bare",
        "bar",
        "allocs",
        "own",
        "bar",
        "met",
    ]);
    for (variant, cost) in [(BARE, bare), (IDENTITY, identity)] {
        table.row([
            variant.title.to_owned(),
            thousands(cost.instructions),
            thousands(cost.instructions - bare.instructions),
            String::new(),
            format!("{:.2}", cost.allocations),
        ]);
    }
    let mut met = true;
    for (variant, bar) in HELD {
        let cost = measure(variant)?;
        let over = cost.instructions - bare.instructions;
        let own = cost.allocations - identity.allocations;
        let mut cells = vec![
            variant.title.to_owned(),
            thousands(cost.instructions),
            thousands(over),
            String::new(),
            format!("{:.2}", cost.allocations),
            format!("{own:.2}"),
        ];
        if let Some(bar) = bar {
            let holds = over <= bar.instructions && own.round() <= bar.allocations;
            met &= holds;
            cells[3] = thousands(bar.instructions);
            cells.push(format!("{}", bar.allocations));
            cells.push(if holds { "yes" } else { "NO" }.to_owned());
        }
        table.row(cells);
    }
    out.write_all(table.terminal().as_bytes())?;
    Ok(met)
}
