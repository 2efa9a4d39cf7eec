//! Foreign programs that tests run against, installed by `scripts/install-engines`.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A program that reads a document on stdin and accepts or refuses it.
#[derive(Clone, Copy, Debug)]
pub enum Judge {
    /// `promtool check metrics`: Prometheus text.
    Promtool,
    /// The reference parser of the OpenMetrics format.
    OpenMetrics,
}

const PARSE_OPENMETRICS: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
families = list(parse(sys.stdin.read()))
samples = [sample for family in families for sample in family.samples]
print(len(families), len(samples), sum(1 for sample in samples if sample.exemplar))
";

impl Judge {
    fn command(self) -> Option<Command> {
        let (program, arguments) = match self {
            Self::Promtool => (program("prometheus", "promtool")?, ["check", "metrics"]),
            Self::OpenMetrics => (
                program("openmetrics", "bin/python3")?,
                ["-c", PARSE_OPENMETRICS],
            ),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        Some(command)
    }

    /// What the program printed about `document`; none if the program is not installed, which is
    /// then said and counted as a skip.
    ///
    /// # Panics
    /// The program refuses the document, or it is missing although
    /// `CITYWATCH_REQUIRE_ENGINES=1` demands it.
    pub fn accepts(self, document: &str) -> Option<String> {
        let mut child = self
            .command()?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the engine starts");
        let mut stdin = child.stdin.take().expect("piped");
        let bytes = document.to_owned();
        let writer = std::thread::spawn(move || stdin.write_all(bytes.as_bytes()));
        let output = child.wait_with_output().expect("the engine ends");
        let _ = writer.join();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{self:?} refuses:\n{said}{complaint}\n{document}"
        );
        Some(said)
    }
}

/// A program of an engine: what `scripts/install-engines` built, or what is on `PATH`. None if it
/// is nowhere, which is then said and counted as a skip.
///
/// # Panics
/// It is missing although `CITYWATCH_REQUIRE_ENGINES=1` demands it.
#[must_use]
pub fn program(engine: &str, program: &str) -> Option<PathBuf> {
    let found = built(engine, program).or_else(|| on_path(program));
    if found.is_none() {
        skip(&format!(
            "{program} is not installed (run scripts/install-engines {engine})"
        ));
    }
    found
}

/// Says that a test was skipped, where `scripts/test` counts it.
///
/// # Panics
/// `CITYWATCH_REQUIRE_ENGINES=1` demands that nothing is skipped.
pub fn skip(why: &str) {
    let required = std::env::var("CITYWATCH_REQUIRE_ENGINES").is_ok_and(|value| value == "1");
    assert!(!required, "{why}");
    // Straight to stderr: the test harness swallows what a passing test prints.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// Folders are called after the engine and its version.
fn built(engine: &str, program: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.engines");
    std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().map(|name| name.to_string_lossy());
            let version = name.as_deref().and_then(|name| name.strip_prefix(engine));
            version.is_some_and(|version| version.starts_with('-'))
        })
        .map(|path| path.join(program))
        .find(|path| path.exists())
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|path| path.exists())
}
