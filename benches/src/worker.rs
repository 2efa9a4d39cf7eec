//! A process that measures one subject, told by lines on its stdin and answering on its stderr;
//! its stdout belongs to whatever the subject logs.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;

use crate::sink::Sink;
use crate::subject::{self, Ended, Subject, Variant};

/// Begins an answer among whatever else is written to stderr.
const ANSWER: &str = "answer ";

/// The worker's side: does what it is told until told to end.
pub(crate) fn serve(name: &str, sink: &str) -> Result<()> {
    let sink: SocketAddr = sink.parse()?;
    let mut subject = subject::build(name, sink)?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match *words {
            ["run", times] => {
                subject.run(times.parse()?)?;
                String::from("null")
            }
            ["measured", times] => {
                measured(&mut *subject, times.parse()?)?;
                String::from("null")
            }
            ["flush"] => {
                subject.flush()?;
                String::from("null")
            }
            ["end"] => serde_json::to_string(&subject.end()?)?,
            _ => bail!("a worker does not know {line:?}"),
        };
        writeln!(std::io::stderr(), "{ANSWER}{answer}")?;
    }
    Ok(())
}

/// Callgrind forgets what it has counted when this begins, and writes it down when this ends.
#[inline(never)]
fn measured(subject: &mut dyn Subject, times: u64) -> Result<()> {
    subject.run(times).context("while it was measured")
}

/// How callgrind names [`measured`].
pub(crate) const MEASURED: &str = concat!(module_path!(), "::measured");

/// The other side: a worker under way.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) variant: Variant,
    child: Child,
    stdin: ChildStdin,
    stderr: BufReader<ChildStderr>,
    sink: Sink,
}

impl Worker {
    /// Starts one, behind the words of `wrapper` if there are any.
    pub(crate) fn start(variant: Variant, wrapper: &[String]) -> Result<Worker> {
        let sink = Sink::start()?;
        let this = std::env::current_exe()?;
        let mut command = match wrapper {
            [] => Command::new(this),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(this);
                command
            }
        };
        command
            .args(["worker", variant.name, &sink.address.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let stdin = child.stdin.take().context("the worker has no stdin")?;
        let stderr = child.stderr.take().context("the worker has no stderr")?;
        Ok(Worker {
            variant,
            child,
            stdin,
            stderr: BufReader::new(stderr),
            sink,
        })
    }

    /// Tells it something and waits for the answer.
    pub(crate) fn tell<T: DeserializeOwned>(&mut self, order: &str) -> Result<T> {
        let name = self.variant.name;
        writeln!(self.stdin, "{order}").with_context(|| format!("the worker {name} has ended"))?;
        let mut line = String::new();
        loop {
            line.clear();
            let read = self.stderr.read_line(&mut line)?;
            ensure!(read > 0, "the worker {name} ended at {order:?}");
            match line.strip_prefix(ANSWER) {
                Some(answer) => return Ok(serde_json::from_str(answer)?),
                None => std::io::stderr().write_all(line.as_bytes())?,
            }
        }
    }

    /// Ends it and checks that as many spans have arrived as were to be sampled out of `requests`.
    pub(crate) fn end(mut self, requests: u64) -> Result<()> {
        let ended: Ended = self.tell("end")?;
        drop(self.stdin);
        let status = self.child.wait()?;
        let name = self.variant.name;
        ensure!(status.success(), "the worker {name} ended with {status}");
        let arrived = self.sink.spans()?;
        if let Some(exported) = ended.exported {
            ensure!(
                exported == arrived,
                "{name}: {exported} spans exported, {arrived} arrived"
            );
        }
        let share = f64::from(self.variant.per_cent) / 100.0;
        let expected = requests as f64 * share;
        // A ratio is kept on average only: six standard deviations.
        let slack = 6.0 * (expected * (1.0 - share)).sqrt();
        ensure!(
            (arrived as f64 - expected).abs() <= slack,
            "{name}: {arrived} spans arrived of some {expected}"
        );
        Ok(())
    }
}
