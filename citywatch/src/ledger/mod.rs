//! Whether every order was taken once, paid once and never lost, and whether what follows from it
//! followed once: computed from those who have no reason to agree with the orders service.

mod evidence;
mod judge;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use crate::DataArgument;
use crate::load::parse_duration;
use crate::terminal::{Paint, Screen, out, outln};
use evidence::Witnesses;
use judge::judge;
use verdict::{Counts, Invariant, Verdict, Violation};

/// Between two looks at a city that is not at rest yet.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The ledger could not be computed.
const UNKNOWN: u8 = 2;

/// Check that no order was lost, doubled or invented, and that money and stock are conserved.
#[derive(Args, Debug)]
#[command(after_help = "\
Computed from the shoppers' journal, the acquirer's own book and inventory's counts; orders is only \
asked which orders are at rest, and shipping, notifications and recommendations what they have made \
of them. Exits with 1 if something is violated, with 2 if it cannot be \
computed.")]
pub(crate) struct Arguments {
    /// Journals of the shoppers [default: that of `citywatch load` in the data folder]
    #[arg(long, value_name = "FILE")]
    journal: Vec<PathBuf>,
    /// The acquirer's book as a file [default: ask the acquirer]
    #[arg(long, value_name = "FILE")]
    book: Option<PathBuf>,
    /// Give the city this long to come to rest, consumers of events included: 30s
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    wait: Duration,
    /// People order too: an order that no journal knows is counted, and no phantom
    #[arg(long)]
    strangers: bool,
    /// Offending orders that are shown
    #[arg(long, default_value_t = 20)]
    show: usize,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArgument,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    clean: bool,
    /// Until nothing was violated any more, or the patience was over.
    waited_seconds: f64,
    counts: &'a Counts,
    invariants: std::collections::BTreeMap<&'static str, usize>,
    violations: &'a [Violation],
}

pub(crate) async fn command(arguments: Arguments) -> Result<ExitCode> {
    match computed(&arguments).await {
        Ok(code) => Ok(code),
        Err(error) => {
            let paint = Paint::stderr();
            Screen::new().note(&format!("{} {error:#}", paint.red("no ledger:")));
            Ok(ExitCode::from(UNKNOWN))
        }
    }
}

async fn computed(arguments: &Arguments) -> Result<ExitCode> {
    let data = arguments.data.dir()?;
    let journals = match arguments.journal.as_slice() {
        // Where only people have ordered so far, nobody has kept one.
        [] if arguments.strangers && !data.order_journal().exists() => Vec::new(),
        [] => vec![data.order_journal()],
        named => named.to_vec(),
    };
    let witnesses = Witnesses::new(data, journals, arguments.book.clone())?;
    let start = Instant::now();
    let verdict = loop {
        let heard = witnesses.hear().await;
        let over = start.elapsed() >= arguments.wait;
        match heard {
            Ok(evidence) => {
                let verdict = judge(&evidence, arguments.strangers);
                if verdict.violations.is_empty() || over {
                    break verdict;
                }
            }
            // A witness that restarts will speak.
            Err(error) if over => return Err(error),
            Err(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let waited = start.elapsed();
    let clean = verdict.violations.is_empty();
    if arguments.json {
        let report = Report {
            clean,
            waited_seconds: waited.as_secs_f64(),
            counts: &verdict.counts,
            invariants: Invariant::ALL
                .into_iter()
                .map(|invariant| (invariant.name(), verdict.of(invariant)))
                .collect(),
            violations: &verdict.violations,
        };
        let text = serde_json::to_string(&report).context("write the ledger")?;
        outln!("{text}");
    } else {
        out!(
            "{}",
            table(&verdict, waited, arguments.show, Paint::stdout())
        );
    }
    Ok(if clean {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn table(verdict: &Verdict, waited: Duration, show: usize, paint: Paint) -> String {
    let counts = &verdict.counts;
    let mut out = format!("{}\n", paint.bold("ledger"));
    let mut row = |name: &str, text: String| {
        out.push_str(&format!("  {} {text}\n", paint.dim(&format!("{name:<10}"))));
    };
    row(
        "journal",
        format!(
            "{} keys: {} acknowledged, {} refused, {} without an answer ({} of these came true)",
            counts.keys, counts.acknowledged, counts.failed, counts.unknown, counts.unknown_done
        ),
    );
    let strangers = match counts.strangers {
        0 => String::new(),
        some => format!(", {some} of them in no journal"),
    };
    row(
        "orders",
        format!(
            "{} confirmed, {} cancelled{strangers}",
            counts.confirmed, counts.cancelled
        ),
    );
    let mut taken: Vec<String> = counts
        .taken
        .iter()
        .map(|(currency, amount)| format!("{amount} {currency}"))
        .collect();
    if taken.is_empty() {
        taken.push("nothing".to_owned());
    }
    let surplus = match counts.surplus_refunded {
        0 => String::new(),
        some => format!(" ({some} surplus, given back)"),
    };
    row(
        "book",
        format!(
            "{} charges{surplus}, {} refunds; keeps {}",
            counts.charges,
            counts.refunds,
            taken.join(" and ")
        ),
    );
    row(
        "shelves",
        format!("{} sold of {} products", counts.sold, counts.products),
    );
    let behind = match counts.behind {
        0 => String::new(),
        some => format!("; {some} events not taken yet"),
    };
    row(
        "afterwards",
        format!(
            "{} parcels, {} messages{behind}",
            counts.parcels, counts.messages
        ),
    );
    out.push('\n');
    for invariant in Invariant::ALL {
        let name = paint.bold(&format!("{:<15}", invariant.name()));
        let (mark, of) = match verdict.of(invariant) {
            0 => (paint.green("✓"), String::new()),
            some => (paint.red("✗"), paint.red(&format!("  {some} violated"))),
        };
        let means = paint.dim(invariant.means());
        out.push_str(&format!("{mark} {name} {means}{of}\n"));
    }
    for violation in verdict.violations.iter().take(show) {
        out.push_str(&format!(
            "\n  {} {}\n    {}\n",
            paint.red(violation.invariant.name()),
            violation.subject,
            violation.detail
        ));
        if let Some(trace) = &violation.trace {
            out.push_str(&paint.dim(&format!("    citywatch trace {trace}\n")));
        }
    }
    let hidden = verdict.violations.len().saturating_sub(show);
    if hidden > 0 {
        out.push_str(&format!("\n  and {hidden} more (--show, --json)\n"));
    }
    let sum = match verdict.violations.len() {
        0 => paint.green("clean"),
        some => paint.red(&format!("{some} violations")),
    };
    out.push_str(&format!("\n{sum} after {:.1} s\n", waited.as_secs_f64()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_invariant_and_the_offenders() {
        let verdict = Verdict {
            counts: Counts {
                confirmed: 7,
                ..Counts::default()
            },
            violations: (0..3)
                .map(|number| Violation {
                    invariant: Invariant::NoLost,
                    subject: format!("order-{number}"),
                    detail: "confirmed, and never paid".to_owned(),
                    trace: Some("4bf92f".to_owned()),
                })
                .collect(),
        };
        let text = table(&verdict, Duration::from_secs(1), 2, Paint::plain());
        for expected in [
            "7 confirmed",
            "✓ no_phantom",
            "✗ no_lost",
            "3 violated",
            "order-1",
            "citywatch trace 4bf92f",
            "and 1 more",
            "3 violations",
        ] {
            assert!(text.contains(expected), "{expected}:\n{text}");
        }
        assert!(!text.contains("order-2"), "{text}");
    }
}
