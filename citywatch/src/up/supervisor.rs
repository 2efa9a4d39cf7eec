//! Keeps one process running: starts it on a leash, reads what it says, starts it again when it
//! dies, and stops it when asked.
//!
//! The leash is the child's standard input: the child ends when it closes. The kernel closes it
//! when this process dies by whatever means, so nothing is left behind even by `kill -9`.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::backoff::Backoff;
use super::board::{Board, Process, Status, name};
use super::output::Output;

/// What a process is: enough to start it any number of times.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) service: &'static str,
    pub(crate) replica: u32,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Variables of this process that it does not inherit.
    pub(crate) withheld: Vec<String>,
    pub(crate) log: PathBuf,
}

impl Spec {
    pub(crate) fn name(&self) -> String {
        name(self.service, self.replica)
    }
}

/// What is wanted of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Running,
    /// Down until wanted running again; `Crash` does not let it take its leave.
    Held(Leave),
    Stopped,
    /// Stopped, without time to drain.
    Killed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    Drained,
    Crash,
}

/// How long a process may drain after its leash was let go, before it is told once more, and then
/// killed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    pub(crate) drain: Duration,
    pub(crate) terminate: Duration,
}

/// One supervised process, as those who steer it hold it.
#[derive(Clone, Debug)]
pub(crate) struct Supervised {
    pub(crate) service: &'static str,
    pub(crate) name: String,
    wanted: watch::Sender<Wanted>,
}

impl Supervised {
    pub(crate) fn start(
        spec: Spec,
        restarts: bool,
        patience: Patience,
        board: Board,
        output: Arc<Output>,
    ) -> Self {
        let (wanted, receiver) = watch::channel(Wanted::Running);
        let (service, name) = (spec.service, spec.name());
        board.update(&name, |process| {
            *process = Process {
                service: spec.service.to_owned(),
                replica: spec.replica,
                log: spec.log.clone(),
                ..Process::default()
            };
        });
        let keeper = Keeper {
            name: name.clone(),
            spec,
            restarts,
            patience,
            board,
            output,
            wanted: receiver,
        };
        tokio::spawn(keeper.run());
        Self {
            service,
            name,
            wanted,
        }
    }

    /// Says what is wanted from now on; the board tells when it is so.
    pub(crate) fn want(&self, wanted: Wanted) {
        self.wanted.send_replace(wanted);
    }
}

struct Keeper {
    name: String,
    spec: Spec,
    restarts: bool,
    patience: Patience,
    board: Board,
    output: Arc<Output>,
    wanted: watch::Receiver<Wanted>,
}

impl Keeper {
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            let wanted = *self.wanted.borrow_and_update();
            match wanted {
                Wanted::Running => {}
                Wanted::Stopped | Wanted::Killed => return self.gone(Status::Stopped),
                Wanted::Held(_) => {
                    self.gone(Status::Held);
                    if self.wanted.changed().await.is_err() {
                        return;
                    }
                    continue;
                }
            }
            let started = Instant::now();
            let Some(died) = self.run_once().await else {
                continue;
            };
            if self.restarts {
                let wait = backoff.after(started.elapsed());
                self.died(Status::Restarting, &died);
                self.output.event(
                    &self.name,
                    &format!("{died}; starts again in {} ms", wait.as_millis()),
                );
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    _ = self.wanted.changed() => {}
                }
            } else {
                self.died(Status::Down, &died);
                self.output
                    .event(&self.name, &format!("{died}; restarts are off"));
                if self.wanted.changed().await.is_err() {
                    return;
                }
            }
        }
    }

    /// Runs it until it ends by itself (says how) or something else is wanted (`None`).
    async fn run_once(&mut self) -> Option<String> {
        let mut child = match self.spawn() {
            Ok(child) => child,
            Err(error) => return Some(format!("cannot be started: {error:#}")),
        };
        let pid = child.id();
        let leash = child.stdin.take();
        self.board.update(&self.name, |process| {
            process.status = Status::Starting;
            process.pid = pid;
            process.public = None;
            process.admin = None;
        });
        let reading = self.output.read(
            &self.name,
            &self.spec.log,
            child.stdout.take(),
            child.stderr.take(),
            self.board.clone(),
        );
        let ended = tokio::select! {
            status = child.wait() => Some(status),
            () = other_wish(&mut self.wanted) => None,
        };
        if ended.is_none() {
            drop(leash);
            self.see_out(&mut child, pid).await;
        }
        // Its last words may still be in the pipe; a grandchild could keep that open for ever.
        let last_words = tokio::time::timeout(Duration::from_millis(500), reading)
            .await
            .ok()
            .and_then(Result::ok)
            .flatten();
        let how = describe(ended?);
        Some(match last_words {
            Some(words) => format!("{how}: {words}"),
            None => how,
        })
    }

    fn spawn(&self) -> Result<Child> {
        let mut command = Command::new(&self.spec.program);
        for variable in &self.spec.withheld {
            command.env_remove(variable);
        }
        command
            .args(&self.spec.arguments)
            .envs(
                self.spec
                    .environment
                    .iter()
                    .map(|(key, value)| (key, value)),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal reaches this process alone, which then stops all in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("spawn {}", self.spec.program.display()))
    }

    /// Its leash is gone: it drains, or is told, or is killed.
    async fn see_out(&mut self, child: &mut Child, pid: Option<u32>) {
        let Patience { drain, terminate } = self.patience;
        let output = Arc::clone(&self.output);
        let name = self.name.clone();
        let told = async {
            tokio::time::sleep(drain).await;
            output.event(&name, "did not end with its leash: SIGTERM");
            signal(pid, Signal::TERM);
            tokio::time::sleep(terminate).await;
            output.event(&name, "did not end by SIGTERM: SIGKILL");
        };
        let at_once =
            |wanted: &Wanted| matches!(wanted, Wanted::Killed | Wanted::Held(Leave::Crash));
        tokio::select! {
            _ = child.wait() => return,
            _ = self.wanted.wait_for(at_once) => {}
            () = told => {}
        }
        signal(pid, Signal::KILL);
        let _ = child.wait().await;
    }

    fn gone(&self, status: Status) {
        self.board.update(&self.name, |process| {
            process.status = status;
            process.pid = None;
        });
    }

    fn died(&self, status: Status, how: &str) {
        self.board.update(&self.name, |process| {
            process.status = status;
            process.pid = None;
            process.restarts += 1;
            process.died = Some(how.to_owned());
        });
    }
}

/// Returns when something other than running is wanted.
async fn other_wish(wanted: &mut watch::Receiver<Wanted>) {
    // The sender lives as long as the supervisor's handle; without it the wish is to stop.
    let _ = wanted.wait_for(|wanted| *wanted != Wanted::Running).await;
}

fn signal(pid: Option<u32>, signal: Signal) {
    let group = pid
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw);
    if let Some(group) = group {
        // Gone already is what was wanted.
        let _ = kill_process_group(group, signal);
    }
}

fn describe(ended: std::io::Result<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match ended {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(0), _) => "ended by itself".to_owned(),
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, Some(signal)) => format!("killed by signal {signal}"),
            (None, None) => "ended".to_owned(),
        },
        Err(error) => format!("lost: {error}"),
    }
}
