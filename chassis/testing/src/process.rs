//! A service as a process of its own: the binary that users run, told what to do by its
//! environment, and seen from outside only.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::eventually;

/// How long a process may take to say or do what a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that runs a service. It ends with the value.
#[derive(Debug)]
pub struct Process {
    /// Base address of the public listener.
    pub url: String,
    /// Base address of the admin listener.
    pub admin_url: String,
    /// A client without telemetry: the world outside.
    pub http: reqwest::Client,
    ready: Value,
    child: Child,
    said: watch::Receiver<Vec<String>>,
}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code or signal.
    pub status: ExitStatus,
    /// Every line that it ever wrote, to stdout or stderr.
    pub said: Vec<String>,
}

impl Process {
    /// Starts a command that [`Town::command`](crate::Town::command) prepared, and waits until
    /// the service is ready.
    ///
    /// # Panics
    /// It is not ready in time.
    pub async fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (lines, said) = watch::channel(Vec::new());
        let lines = Arc::new(lines);
        follow(child.stdout.take().expect("piped"), Arc::clone(&lines));
        follow(child.stderr.take().expect("piped"), lines);
        let mut process = Self {
            url: String::new(),
            admin_url: String::new(),
            http: reqwest::Client::new(),
            ready: Value::Null,
            child,
            said,
        };
        process.ready = process
            .line("READY", |line| {
                serde_json::from_str(line.strip_prefix("READY ")?).ok()
            })
            .await;
        let base = |name: &str| format!("http://{}", process.ready[name].as_str().expect(name));
        (process.url, process.admin_url) = (base("public"), base("admin"));
        process
    }

    /// Where it listens, publicly.
    ///
    /// # Panics
    /// It said no address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let address = self.ready["public"].as_str().expect("an address");
        address.parse().expect("an address")
    }

    /// Whether it still runs: this process, not a successor.
    ///
    /// # Panics
    /// The system does not say.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_none()
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it SIGCONT.
    ///
    /// # Panics
    /// It has ended, and somebody else has waited for it.
    pub fn resume(&self) {
        let id = rustix::process::Pid::from_child(&self.child);
        let sent = rustix::process::kill_process(id, rustix::process::Signal::CONT);
        sent.expect("a child of ours");
    }

    /// Its metrics page, in Prometheus text.
    ///
    /// # Panics
    /// The page cannot be fetched.
    pub async fn metrics(&self) -> String {
        crate::metrics(&self.http, &self.admin_url).await
    }

    /// Every line that it has written so far, to stdout or stderr.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.said.borrow().clone()
    }

    /// The first line, of those written and those to come, in which `find` finds something.
    ///
    /// # Panics
    /// There is none in time.
    pub async fn line<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let mut said = self.said.clone();
        let mut seen = 0;
        let search = async {
            loop {
                {
                    let lines = said.borrow_and_update();
                    if let Some(found) = lines[seen..].iter().find_map(|line| find(line)) {
                        return Some(found);
                    }
                    seen = lines.len();
                }
                said.changed().await.ok()?;
            }
        };
        match tokio::time::timeout(PATIENCE, search).await {
            Ok(Some(found)) => found,
            _ => panic!("no line {what} in\n{}", self.said().join("\n")),
        }
    }

    /// Lets go of its leash and waits for its end.
    ///
    /// # Panics
    /// It does not end in time.
    pub async fn stop(mut self) -> Ended {
        drop(self.child.stdin.take());
        self.ended().await
    }

    /// Waits for its end, which nobody need have asked for.
    ///
    /// # Panics
    /// It does not end in time.
    pub async fn ended(mut self) -> Ended {
        let status = eventually("the process ends", || {
            let status = self.child.try_wait().expect("a child of ours");
            async move { status }
        })
        .await;
        // Until both of its pipes are read to their end.
        while self.said.changed().await.is_ok() {}
        Ended {
            status,
            said: self.said(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail for a process that has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(pipe: impl Read + Send + 'static, lines: Arc<watch::Sender<Vec<String>>>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            lines.send_modify(|lines| lines.push(line));
        }
    });
}
