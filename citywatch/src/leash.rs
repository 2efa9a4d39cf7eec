//! Runs a foreign program on a leash, as the services are: it ends when standard input closes.
//!
//! The program takes this process's place, so that its id, its group and its memory are its own.
//! Beside it stays a guard, which holds the leash: the kernel closes that when whoever started us
//! dies by whatever means, and the guard then ends the program. A pipe of which the program holds
//! one end without knowing tells the guard that the program is gone.

use std::ffi::OsString;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How long a program may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);

/// Run a program that ends when standard input closes.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Watch over that process instead
    #[arg(long, value_name = "PID", conflicts_with = "command")]
    guard: Option<i32>,
    /// The program and its arguments
    #[arg(last = true, required_unless_present = "guard")]
    command: Vec<OsString>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    match (arguments.guard, arguments.command.split_first()) {
        (Some(pid), _) => guard(Pid::from_raw(pid).context("0 is no process")?),
        (None, Some((program, arguments))) => become_program(program, arguments),
        (None, None) => bail!("no program to run"),
    }
}

/// Returns only if the program cannot be started.
fn become_program(program: &OsString, arguments: &[OsString]) -> Result<ExitCode> {
    let (gone, held) = io::pipe().context("make a pipe")?;
    start_guard(gone)?;
    keep_open(&held)?;
    let error = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .exec();
    Err(error).with_context(|| format!("start {}", program.display()))
}

/// Its standard input is ours, the leash; its standard output is not written to, but is the end of
/// the pipe that says when the program is gone.
fn start_guard(gone: PipeReader) -> Result<()> {
    let this = std::env::current_exe().context("where this program is")?;
    Command::new(this)
        .args(["leash", "--guard", &std::process::id().to_string()])
        .stdin(Stdio::inherit())
        .stdout(gone)
        // A signal to the program's group is for the program.
        .process_group(0)
        .spawn()
        .context("start the leash's guard")?;
    Ok(())
}

/// The program inherits it; the guard, started before, has not.
fn keep_open(held: &PipeWriter) -> Result<()> {
    fcntl_setfd(held, FdFlags::empty()).context("hand a pipe on")
}

fn guard(program: Pid) -> Result<ExitCode> {
    let (leash, gone) = (io::stdin(), io::stdout());
    loop {
        let [closed, ended] = wait([leash.as_fd(), gone.as_fd()], None)?;
        if ended {
            return Ok(ExitCode::SUCCESS);
        }
        // Whoever holds the leash says nothing on it; but only its end means something.
        if closed && read_past(leash.as_fd())? {
            break;
        }
    }
    end(program, Signal::TERM);
    let [ended] = wait([gone.as_fd()], Some(GRACE))?;
    if !ended {
        end(program, Signal::KILL);
    }
    Ok(ExitCode::SUCCESS)
}

/// Which of these has something to say; all are silent when the limit has passed.
fn wait<const N: usize>(ends: [BorrowedFd<'_>; N], limit: Option<Duration>) -> Result<[bool; N]> {
    let limit = limit.map(|limit| Timespec {
        tv_sec: limit.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let mut polled = ends.map(|end| PollFd::from_borrowed_fd(end, PollFlags::IN));
    loop {
        match poll(&mut polled, limit.as_ref()) {
            Ok(_) => return Ok(polled.map(|end| !end.revents().is_empty())),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for the leash"),
        }
    }
}

/// Reads what is there; true at the end.
fn read_past(leash: BorrowedFd<'_>) -> Result<bool> {
    match rustix::io::read(leash, &mut [0_u8; 256]) {
        Ok(read) => Ok(read == 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error).context("read the leash"),
    }
}

/// With all that it started, if it leads a group of its own.
fn end(program: Pid, signal: Signal) {
    // Gone already is what was wanted.
    let _ = kill_process_group(program, signal).or_else(|_| kill_process(program, signal));
}
