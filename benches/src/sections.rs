//! What is measured in time, and the bars for it: reported, never asserted.

use anyhow::Result;

use crate::section::{Bar, Section};
use crate::soak::{self, RATE};
use crate::stats::Series;
use crate::subject::{
    BARE, BARE_PARENT, FASTRACE, FASTRACE_ONE, IDENTITY, LINE_FMT, LINE_OURS, OURS, OURS_OFF,
    OURS_ONE, OURS_PARENT, OURS_PARENT_OFF, SDK, SDK_ONE, SPAN_OURS, SPAN_OURS_OFF, SPAN_TRACING,
    SPAN_TRACING_OFF, TOWER, TOWER_ONE, TOWER_OTEL, TOWER_OTEL_ONE, TRACING, TRACING_ONE, Variant,
};
use crate::table::{Table, thousands};
use crate::times::{self, Times};
use crate::{callgrind, cost, load};

/// What bare axum takes for the request on the machine that the bars in nanoseconds were set on.
const BARE_NS: f64 = 682.0;

const MIB: f64 = (1 << 20) as f64;

/// One figure over another's: what a layer adds.
fn over(of: &Series, bare: &Series) -> Added {
    Added {
        best: of.best() - bare.best(),
        all: of.with(bare, |of, bare| of - bare),
    }
}

/// What something adds, from the best of all repetitions, and in each of them.
struct Added {
    best: f64,
    all: Series,
}

impl Added {
    /// How many times as much this is.
    fn times(&self, other: &Added) -> Added {
        Added {
            best: self.best / other.best,
            all: self.all.with(&other.all, |this, other| this / other),
        }
    }

    /// As it would be where bare axum takes [`BARE_NS`].
    fn scaled(&self, bare: &Series) -> Added {
        Added {
            best: self.best * BARE_NS / bare.best(),
            all: self.all.with(bare, |added, bare| added * BARE_NS / bare),
        }
    }

    fn at_most(&self, figure: &str, most: f64, unit: &str, digits: usize) -> Bar {
        self.bar(
            figure,
            format!("<= {most}{unit}"),
            digits,
            self.best <= most,
        )
    }

    fn at_least(&self, figure: &str, least: f64) -> Bar {
        self.bar(figure, format!(">= {least}x"), 1, self.best >= least)
    }

    fn bar(&self, figure: &str, bar: String, digits: usize, met: bool) -> Bar {
        Bar {
            figure: figure.to_owned(),
            bar,
            seen: format!("{:.digits$}", self.best),
            spread: self.all.spread(digits),
            met,
            asserted: false,
        }
    }
}

/// CPU time of a request, without sockets.
pub(crate) fn requests() -> Result<Section> {
    let measured = times::measure(&[
        BARE,
        BARE_PARENT,
        IDENTITY,
        OURS,
        OURS_PARENT,
        OURS_OFF,
        OURS_PARENT_OFF,
        OURS_ONE,
        TRACING,
        TRACING_ONE,
        TOWER,
        TOWER_ONE,
        TOWER_OTEL,
        TOWER_OTEL_ONE,
        SDK,
        SDK_ONE,
        FASTRACE,
        FASTRACE_ONE,
    ])?;
    let bare = measured.of(BARE)?;
    let thread = |variant: Variant| -> Result<Added> {
        Ok(over(&measured.of(variant)?.thread, &bare.thread))
    };
    let process = |variant: Variant| -> Result<Added> {
        Ok(over(&measured.of(variant)?.process, &bare.process))
    };
    let mut table = Table::new(&[
        "ns over bare axum",
        "thread",
        "median (quartiles)",
        "process",
        "median (quartiles)",
        "lost",
    ]);
    let none = none(bare);
    row(&mut table, "bare axum, itself", bare, &none, &none);
    for times in measured.iter().filter(|times| times.variant != BARE) {
        let title = times.variant.title;
        row(&mut table, title, times, &bare.thread, &bare.process);
    }
    let ours = thread(OURS)?;
    let ours_one = thread(OURS_ONE)?;
    // A request that has one more header costs more to make.
    let bare_parent = measured.of(BARE_PARENT)?;
    let scaled = |variant: Variant, figure: &str, most: f64| -> Result<Bar> {
        let without = match variant {
            OURS_PARENT | OURS_PARENT_OFF => bare_parent,
            _ => bare,
        };
        let added = over(&measured.of(variant)?.thread, &without.thread);
        let scaled = added.scaled(&bare.thread);
        let figure = format!("{figure}, ns over bare, where bare takes {BARE_NS}");
        Ok(scaled.at_most(&figure, most, "", 0))
    };
    let bars = vec![
        ours.at_most("sampled request, ns over bare", 600.0, "", 0),
        thread(OURS_PARENT)?.at_most("caller sampled, ns over bare", 600.0, "", 0),
        thread(OURS_OFF)?.at_most("unsampled request, ns over bare", 300.0, "", 0),
        thread(OURS_PARENT_OFF)?.at_most("caller not sampled, ns over bare", 300.0, "", 0),
        scaled(OURS, "sampled request", 600.0)?,
        scaled(OURS_PARENT, "caller sampled", 600.0)?,
        scaled(OURS_OFF, "unsampled request", 300.0)?,
        scaled(OURS_PARENT_OFF, "caller not sampled", 300.0)?,
        thread(TRACING)?
            .times(&ours)
            .at_least("axum-tracing-opentelemetry + metrics / ours", 7.0),
        thread(TRACING_ONE)?
            .times(&ours_one)
            .at_least("the same at 1 %", 12.0),
        thread(TOWER)?
            .times(&ours)
            .at_least("opentelemetry-instrumentation-tower / ours", 3.3),
        thread(TOWER_ONE)?
            .times(&ours_one)
            .at_least("the same at 1 %", 5.0),
        ours.times(&thread(FASTRACE)?)
            .at_most("ours / fastrace-axum, request thread", 1.0, "x", 2),
        process(FASTRACE)?
            .times(&process(OURS)?)
            .at_least("fastrace-axum / ours, process", 4.0),
    ];
    Ok(Section {
        title: "CPU time of a request",
        table,
        bars,
    })
}

/// Nothing to compare with, as often as it was measured.
fn none(times: &Times) -> Series {
    Series(vec![0.0; times.thread.0.len()])
}

/// One variant's row: over something for the thread and for the process.
fn row(table: &mut Table, title: &str, times: &Times, thread: &Series, process: &Series) {
    table.row(cells(title, times, thread, process));
}

fn cells(title: &str, times: &Times, thread: &Series, process: &Series) -> [String; 6] {
    let thread = over(&times.thread, thread);
    let process = over(&times.process, process);
    [
        title.to_owned(),
        thousands(thread.best),
        thread.all.spread(0),
        thousands(process.best),
        process.all.spread(0),
        lost(times),
    ]
}

/// The same, with what callgrind counts; without it, what it counts stays empty.
fn counted_row(table: &mut Table, times: &Times, zero: &Series) -> Result<()> {
    let mut cells = cells(times.variant.title, times, zero, zero).to_vec();
    if callgrind::is_installed() {
        let cost = cost::count(times.variant)?;
        cells.push(thousands(cost.instructions));
        cells.push(format!("{:.2}", cost.allocations));
    }
    table.row(cells);
    Ok(())
}

/// What did not arrive of what is always sampled.
fn lost(times: &Times) -> String {
    if times.variant.per_cent < 100 {
        return String::new();
    }
    format!("{:.1} %", 100.0 * (1.0 - times.arrived))
}

/// For rows by [`counted_row`].
fn counted_table(figure: &str) -> Table {
    Table::new(&[
        figure,
        "thread",
        "median (quartiles)",
        "process",
        "median (quartiles)",
        "lost",
        "instr.",
        "allocs",
    ])
}

/// CPU time of a child span made by `tracing`, the registry of `tracing-subscriber` included.
pub(crate) fn spans() -> Result<Section> {
    let measured = times::measure(&[SPAN_OURS, SPAN_OURS_OFF, SPAN_TRACING, SPAN_TRACING_OFF])?;
    let zero = none(measured.of(SPAN_OURS)?);
    let mut table = counted_table("ns a child span");
    for times in measured.iter() {
        counted_row(&mut table, times, &zero)?;
    }
    let part = |of: Variant, peer: Variant, figure: &str, most: f64, words: &str| -> Result<Bar> {
        let of = over(&measured.of(of)?.thread, &zero);
        let part = of.times(&over(&measured.of(peer)?.thread, &zero));
        Ok(part.bar(figure, words.to_owned(), 2, part.best <= most))
    };
    let bars = vec![
        part(
            SPAN_OURS,
            SPAN_TRACING,
            "ours / tracing-opentelemetry, sampled",
            1.0 / 3.0,
            "<= 1/3",
        )?,
        part(
            SPAN_OURS_OFF,
            SPAN_TRACING_OFF,
            "ours / tracing-opentelemetry, not sampled",
            1.0 / 6.0,
            "<= 1/6",
        )?,
    ];
    Ok(Section {
        title: "CPU time of a child span of tracing",
        table,
        bars,
    })
}

/// CPU time of a request whose handler writes a line.
pub(crate) fn lines() -> Result<Section> {
    let measured = times::measure(&[LINE_OURS, LINE_FMT])?;
    let fmt = measured.of(LINE_FMT)?;
    let ours = measured.of(LINE_OURS)?;
    let mut table = counted_table("ns a request");
    for times in measured.iter() {
        counted_row(&mut table, times, &none(times))?;
    }
    let bars = vec![over(&ours.thread, &fmt.thread).at_most(
        "traced request and its line, ns over the line alone",
        300.0,
        "",
        0,
    )];
    Ok(Section {
        title: "CPU time of a request with a line",
        table,
        bars,
    })
}

/// CPU time of a server over loopback.
pub(crate) fn loopback() -> Result<Section> {
    let measured = load::measure(&[BARE, OURS, OURS_ONE, TRACING, TOWER, FASTRACE])?;
    let mut table = Table::new(&[
        "server CPU of a request, over bare %",
        "serving thread",
        "median (quartiles)",
        "process",
        "median (quartiles)",
    ]);
    let mut bars = Vec::new();
    let Some((_, bare)) = measured.iter().find(|(variant, _)| *variant == BARE) else {
        anyhow::bail!("bare axum was not measured");
    };
    // Not of the best rounds: how often a thread sleeps between two requests is chance, so that a
    // round has no floor that the others lie above.
    let more = |of: &Series, bare: &Series| {
        let all = of.with(bare, |of, bare| 100.0 * (of / bare - 1.0));
        Added {
            best: all.quantile(0.5),
            all,
        }
    };
    for (variant, served) in measured.iter().filter(|(variant, _)| *variant != BARE) {
        let thread = more(&served.thread, &bare.thread);
        let process = more(&served.process, &bare.process);
        table.row([
            variant.title.to_owned(),
            format!("{:+.1}", thread.best),
            thread.all.spread(1),
            format!("{:+.1}", process.best),
            process.all.spread(1),
        ]);
        if *variant == OURS {
            bars.push(process.at_most("server CPU over bare, sampled, %", 8.0, "", 1));
            bars.push(thread.at_most("the serving thread alone, %", 8.0, "", 1));
        }
    }
    Ok(Section {
        title: "CPU time of a server over loopback",
        table,
        bars,
    })
}

/// Memory and counts while a collector says nothing.
pub(crate) fn soak(seconds: u64, with_peers: bool) -> Result<Section> {
    let outcome = soak::measure(OURS, seconds)?;
    let mut table = Table::new(&["collector says nothing", "s", "spans/s", "RSS growth MiB"]);
    let mut line = |title: &str, soak: &soak::Soak| {
        let stopped = if soak.stopped { ", stopped" } else { "" };
        table.row([
            format!("{title}{stopped}"),
            format!("{:.0}", soak.seconds),
            thousands(soak.spans as f64 / soak.seconds),
            format!("{:.1}", soak.growth as f64 / MIB),
        ]);
    };
    line(OURS.title, &outcome.soak);
    if with_peers {
        for peer in [TOWER, FASTRACE] {
            line(peer.title, &soak::measure_peer(peer, seconds)?);
        }
    }
    let bars = vec![
        Bar {
            figure: format!("RSS growth at {} spans/s, MiB", thousands(RATE as f64)),
            bar: format!("<= {:.0}", soak::bound() as f64 / MIB),
            seen: format!("{:.1}", outcome.soak.growth as f64 / MIB),
            spread: String::new(),
            met: outcome.is_bounded(),
            asserted: true,
        },
        Bar {
            figure: "produced = exported + dropped + queued".to_owned(),
            bar: "always".to_owned(),
            seen: format!(
                "{} of {} samples",
                outcome.soak.samples - outcome.soak.wrong,
                outcome.soak.samples
            ),
            spread: String::new(),
            met: outcome.is_exact(),
            asserted: true,
        },
        Bar {
            figure: "shutdown(2 s) back after, s".to_owned(),
            bar: "<= 2.2".to_owned(),
            seen: format!("{:.2}", outcome.shutdown_seconds),
            spread: String::new(),
            met: outcome.is_back_in_time(),
            asserted: false,
        },
    ];
    Ok(Section {
        title: "A collector that accepts and never answers",
        table,
        bars,
    })
}
