//! What is missing or unwell in the running city, and what to do about it.

mod checks;
mod memory;
mod page;

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::DataArgument;
use crate::terminal::{Paint, bytes, out, outln};
use memory::Memory;

/// Say what is missing or unwell, and what to do.
#[derive(Args, Debug)]
#[command(after_help = "Exits with 1 if something is unwell; notes alone are well.")]
pub(crate) struct Arguments {
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArgument,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Well,
    /// Could be better; nothing is broken.
    Note,
    Unwell,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// What was looked at: `users-1`, `data folder`.
    pub(crate) part: String,
    pub(crate) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) action: Option<String>,
}

impl Finding {
    pub(crate) fn well(part: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            level: Level::Well,
            part: part.into(),
            message: message.into(),
            action: None,
        }
    }

    pub(crate) fn note(
        part: impl Into<String>,
        message: impl Into<String>,
        action: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Note,
            action: Some(action.into()),
            ..Self::well(part, message)
        }
    }

    pub(crate) fn unwell(
        part: impl Into<String>,
        message: impl Into<String>,
        action: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Unwell,
            action: Some(action.into()),
            ..Self::well(part, message)
        }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    well: bool,
    findings: Vec<Finding>,
    memory: Option<Memory>,
}

pub(crate) async fn command(arguments: Arguments) -> Result<ExitCode> {
    let data = arguments.data.dir()?;
    let (findings, memory) = checks::all(&data).await?;
    let well = findings
        .iter()
        .all(|finding| finding.level != Level::Unwell);
    let report = Report {
        well,
        findings,
        memory,
    };
    if arguments.json {
        outln!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        out!("{}", text(&report, Paint::stdout()));
    }
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn text(report: &Report, paint: Paint) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let mark = match finding.level {
            Level::Well => paint.green("✓"),
            Level::Note => paint.yellow("·"),
            Level::Unwell => paint.red("✗"),
        };
        out.push_str(&format!(
            "{mark} {} {}\n",
            paint.bold(&format!("{:<13}", finding.part)),
            finding.message
        ));
        if let Some(action) = &finding.action {
            out.push_str(&format!(
                "  {:<13} {}\n",
                "",
                paint.dim(&format!("→ {action}"))
            ));
        }
    }
    if let Some(memory) = &report.memory {
        out.push_str(&format!(
            "\n{}\n",
            paint.bold("memory (proportional set size)")
        ));
        for process in &memory.processes {
            out.push_str(&format!(
                "  {:<13} {:>10}\n",
                process.name,
                bytes(process.pss_bytes)
            ));
        }
        out.push_str(&format!(
            "  {:<13} {:>10}\n",
            "all",
            bytes(memory.total_bytes)
        ));
        if let Some(store) = memory.span_store_bytes {
            out.push_str(&format!(
                "  {:<13} {:>10}  the observatory's spans hold {}\n",
                "without spans",
                bytes(memory.total_without_spans_bytes),
                bytes(store)
            ));
        }
    }
    let verdict = if report.well {
        paint.green("all is well")
    } else {
        let count = report
            .findings
            .iter()
            .filter(|f| f.level == Level::Unwell)
            .count();
        paint.red(&format!("{count} unwell"))
    };
    out.push_str(&format!("\n{verdict}\n"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_to_do_and_sums_up() {
        let report = Report {
            well: false,
            findings: vec![
                Finding::well("users-1", "ready"),
                Finding::unwell("catalog-1", "down", "citywatch release catalog-1"),
            ],
            memory: Some(Memory::new(
                vec![
                    ("up".into(), 1, 3_000_000),
                    ("observatory-1".into(), 2, 20_000_000),
                ],
                Some(8_000_000),
            )),
        };
        let text = text(&report, Paint::plain());
        for expected in [
            "✓ users-1       ready",
            "→ citywatch release catalog-1",
            "all              23.0 MB",
            "without spans    15.0 MB",
            "1 unwell",
        ] {
            assert!(text.contains(expected), "{expected}:\n{text}");
        }
    }
}
