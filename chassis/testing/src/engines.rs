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
        match self {
            Self::Promtool => {
                let program = engine("promtool-", "promtool").or_else(|| on_path("promtool"))?;
                let mut command = Command::new(program);
                command.args(["check", "metrics"]);
                Some(command)
            }
            Self::OpenMetrics => {
                let mut command = Command::new(engine("openmetrics-", "bin/python3")?);
                command.args(["-c", PARSE_OPENMETRICS]);
                Some(command)
            }
        }
    }

    /// What the program printed about `document`; none if the program is not installed, which is
    /// then said and counted as a skip.
    ///
    /// # Panics
    /// The program refuses the document, or it is missing although
    /// `CITYWATCH_REQUIRE_ENGINES=1` demands it.
    pub fn accepts(self, document: &str) -> Option<String> {
        let Some(mut command) = self.command() else {
            skip(&format!(
                "{self:?} is not installed (run scripts/install-engines)"
            ));
            return None;
        };
        let mut child = command
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

/// The Python that has OpenTelemetry's official SDK; none if it is not installed, which is then
/// said and counted as a skip.
///
/// # Panics
/// It is missing although `CITYWATCH_REQUIRE_ENGINES=1` demands it.
#[must_use]
pub fn opentelemetry_python() -> Option<PathBuf> {
    let python = engine("opentelemetry-python-", "bin/python3");
    if python.is_none() {
        skip("OpenTelemetry for Python is not installed (run scripts/install-engines)");
    }
    python
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

fn engine(prefix: &str, program: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.engines");
    std::fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
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
