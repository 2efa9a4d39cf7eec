//! Instructions, their code and allocations of a request, held to their bars.

use std::io::Write;

use anyhow::{Result, bail};

use crate::callgrind::{self, Cost};
use crate::section::{Bar, Section};
use crate::subject::{
    BARE, BARE_PARENT, FASTRACE, IDENTITY, OURS, OURS_OFF, OURS_ONE, OURS_PARENT, OURS_PARENT_OFF,
    PASS, PASS_COUNTED, PASS_NONE, SDK, THROUGH, THROUGH_POINT, TOWER, TOWER_OTEL, TRACING,
    Variant,
};
use crate::table::{Table, thousands};

/// What a request may cost: instructions over bare axum, allocations over a layer that does nothing
/// (axum asks for some itself, whatever the layer).
#[derive(Debug, Clone, Copy)]
struct Limit {
    instructions: f64,
    allocations: f64,
}

const SAMPLED: Limit = Limit {
    instructions: 6_500.0,
    allocations: 3.0,
};
const UNSAMPLED: Limit = Limit {
    instructions: 3_500.0,
    allocations: 2.0,
};
const OURS_HELD: [(Variant, Option<Limit>); 5] = [
    (OURS, Some(SAMPLED)),
    (OURS_PARENT, Some(SAMPLED)),
    (OURS_OFF, Some(UNSAMPLED)),
    (OURS_PARENT_OFF, Some(UNSAMPLED)),
    (OURS_ONE, None),
];
const PEERS: [(Variant, Option<Limit>); 5] = [
    (TRACING, None),
    (TOWER, None),
    (TOWER_OTEL, None),
    (SDK, None),
    (FASTRACE, None),
];

/// What the same request costs without telemetry.
#[derive(Debug, Clone, Copy)]
struct Without {
    bare: Cost,
    identity: Cost,
}

impl Without {
    /// For a request that has one more header, whose making is nobody's cost.
    fn with_header(self, bare: Cost) -> Without {
        Without {
            bare,
            identity: Cost {
                instructions: self.identity.instructions + bare.instructions
                    - self.bare.instructions,
                lines: self.identity.lines + bare.lines - self.bare.lines,
                allocations: self.identity.allocations + bare.allocations - self.bare.allocations,
            },
        }
    }
}

/// Counts ours, and the peers if asked to.
pub(crate) fn measure(with_peers: bool) -> Result<Section> {
    require_valgrind()?;
    let plain = Without {
        bare: count(BARE)?,
        identity: count(IDENTITY)?,
    };
    let called = plain.with_header(count(BARE_PARENT)?);
    let mut table = Table::new(&[
        "a request, its thread",
        "instr.",
        "over bare",
        "lines of code",
        "over bare",
        "allocs",
        "own",
    ]);
    for (variant, cost) in [
        (BARE, plain.bare),
        (BARE_PARENT, called.bare),
        (IDENTITY, plain.identity),
    ] {
        row(&mut table, variant, cost, plain, false);
    }
    let mut bars = Vec::new();
    let peers = PEERS.iter().filter(|_| with_peers);
    for &(variant, limit) in OURS_HELD.iter().chain(peers) {
        let cost = count(variant)?;
        let without = match variant {
            OURS_PARENT | OURS_PARENT_OFF => called,
            _ => plain,
        };
        row(&mut table, variant, cost, without, true);
        if let Some(limit) = limit {
            bars.extend(hold(variant, cost, limit, without));
        }
    }
    Ok(Section {
        title: "Instructions and allocations",
        table,
        bars,
    })
}

/// What it may cost to pass a fault point where nothing is armed, over the same without one.
const DISARMED: Limit = Limit {
    instructions: 30.0,
    allocations: 0.0,
};
/// The same where faults are enabled, and each pass is counted.
const COUNTED: Limit = Limit {
    instructions: 70.0,
    allocations: 0.0,
};
/// The same within a request: what the compiler makes of the code around it counts as well.
const WITHIN: Limit = Limit {
    instructions: 130.0,
    allocations: 0.0,
};
const POINTS: [(Variant, Variant, Limit); 3] = [
    (PASS, PASS_NONE, DISARMED),
    (PASS_COUNTED, PASS_NONE, COUNTED),
    (THROUGH_POINT, THROUGH, WITHIN),
];

/// Counts what fault points cost.
pub(crate) fn measure_points() -> Result<Section> {
    require_valgrind()?;
    let mut table = Table::new(&[
        "a pass",
        "instr.",
        "over without",
        "lines of code",
        "over without",
        "allocs",
        "own",
    ]);
    let mut bars = Vec::new();
    for (variant, without, limit) in POINTS {
        let (cost, bare) = (count(variant)?, count(without)?);
        // There is no layer to be left out.
        let without = Without {
            bare,
            identity: bare,
        };
        row(&mut table, variant, cost, without, true);
        bars.extend(hold(variant, cost, limit, without));
    }
    Ok(Section {
        title: "Fault points where nothing is armed",
        table,
        bars,
    })
}

fn require_valgrind() -> Result<()> {
    if callgrind::is_installed() {
        return Ok(());
    }
    bail!(
        "valgrind is missing: install it with the system's package manager, such as \
         apt-get install valgrind"
    );
}

pub(crate) fn count(variant: Variant) -> Result<Cost> {
    writeln!(std::io::stderr(), "counting: {}", variant.title)?;
    callgrind::measure(variant)
}

fn row(table: &mut Table, variant: Variant, cost: Cost, without: Without, is_telemetry: bool) {
    let Without { bare, identity } = without;
    let own = is_telemetry.then_some(cost.allocations - identity.allocations);
    table.row([
        variant.title.to_owned(),
        thousands(cost.instructions),
        thousands(cost.instructions - bare.instructions),
        thousands(cost.lines),
        thousands(cost.lines - bare.lines),
        format!("{:.2}", cost.allocations),
        own.map(|own| format!("{own:.2}")).unwrap_or_default(),
    ]);
}

fn hold(variant: Variant, cost: Cost, limit: Limit, without: Without) -> [Bar; 2] {
    let Without { bare, identity } = without;
    let instructions = cost.instructions - bare.instructions;
    let own = cost.allocations - identity.allocations;
    let bar = |what: &str, limit: f64, seen: String, met: bool| Bar {
        figure: format!("{}: {what}", variant.title),
        bar: format!("<= {}", thousands(limit)),
        seen,
        spread: String::new(),
        met,
        asserted: true,
    };
    [
        bar(
            "instructions over bare",
            limit.instructions,
            thousands(instructions),
            instructions <= limit.instructions,
        ),
        bar(
            "allocations of its own",
            limit.allocations,
            format!("{own:.2}"),
            // Buffers that grow now and then are a hundredth of one.
            own.round() <= limit.allocations,
        ),
    ]
}
