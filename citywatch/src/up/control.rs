//! The wire between `citywatch hold`, `citywatch release` and the `up` that they steer: one JSON
//! line each way over a Unix socket that only the city's owner can open.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::board::{Board, Status};
use super::supervisor::{Leave, Supervised, Wanted};
use crate::data_dir::DataDir;

/// A process that is told to go or to come is there within this time, or the answer says so.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest request line.
const REQUEST_BOUND: u64 = 4096;

/// What can be asked of a running `up`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Take the service (or one process, `catalog-2`) down and keep it down.
    Hold { name: String, crash: bool },
    /// Let it run again.
    Release { name: String },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(Vec<String>),
    Refused(String),
}

/// Listens in the data folder; what an earlier `up` left there is gone first.
pub(crate) fn listen(data: &DataDir) -> Result<UnixListener> {
    let path = data.control();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("remove {}", path.display()));
        }
        _ => {}
    }
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("listen on {} (a shorter --data path helps)", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
        .with_context(|| format!("make {} private", path.display()))?;
    Ok(listener)
}

/// Answers for as long as it is polled; one request at a time is enough for a person and a drill.
pub(crate) async fn serve(listener: UnixListener, processes: Vec<Supervised>, board: Board) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        // A caller that hangs up is its own affair.
        let _ = answer(stream, &processes, &board).await;
    }
}

async fn answer(stream: UnixStream, processes: &[Supervised], board: &Board) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let reading = BufReader::new(read.take(REQUEST_BOUND));
    tokio::pin!(reading);
    tokio::time::timeout(Duration::from_secs(1), reading.read_line(&mut line)).await??;
    let answer = match serde_json::from_str(&line) {
        Ok(request) => carry_out(request, processes, board).await,
        Err(error) => Answer::Refused(format!("not understood: {error}")),
    };
    let mut text = serde_json::to_vec(&answer)?;
    text.push(b'\n');
    write.write_all(&text).await?;
    Ok(())
}

async fn carry_out(request: Request, processes: &[Supervised], board: &Board) -> Answer {
    let (name, wanted, goal) = match request {
        Request::Hold { name, crash: true } => (name, Wanted::Held(Leave::Crash), Status::Held),
        Request::Hold { name, crash: false } => (name, Wanted::Held(Leave::Drained), Status::Held),
        Request::Release { name } => (name, Wanted::Running, Status::Ready),
    };
    let meant: Vec<&Supervised> = processes
        .iter()
        .filter(|process| process.service == name || process.name == name)
        .collect();
    if meant.is_empty() {
        let known: Vec<&str> = processes
            .iter()
            .map(|process| process.name.as_str())
            .collect();
        return Answer::Refused(format!(
            "there is no `{name}` here; there are: {}",
            known.join(", ")
        ));
    }
    for process in &meant {
        process.want(wanted);
    }
    let names: Vec<String> = meant.iter().map(|process| process.name.clone()).collect();
    let reached = board
        .wait_written(PATIENCE, |now| {
            names
                .iter()
                .all(|name| now.get(name).is_some_and(|process| process.status == goal))
        })
        .await;
    if reached {
        Answer::Done(names)
    } else {
        Answer::Refused(format!(
            "{} did not get there in {PATIENCE:?}",
            names.join(", ")
        ))
    }
}

/// Asks the `up` of that folder and waits for it to be done.
pub(crate) async fn ask(data: &DataDir, request: &Request) -> Result<Vec<String>> {
    let path = data.control();
    let stream = UnixStream::connect(&path).await.with_context(|| {
        format!(
            "no city answers at {}; is `citywatch up` running with this --data?",
            path.display()
        )
    })?;
    let (read, mut write) = stream.into_split();
    let mut text = serde_json::to_vec(request)?;
    text.push(b'\n');
    write.write_all(&text).await?;
    let mut line = String::new();
    BufReader::new(read).read_line(&mut line).await?;
    match serde_json::from_str(&line).context("the city's answer is not understood")? {
        Answer::Done(names) => Ok(names),
        Answer::Refused(why) => bail!(why),
    }
}
