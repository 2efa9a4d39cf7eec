//! The binary itself: its access log, and its end.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::raw::Client;

struct Process {
    child: Child,
    lines: std::sync::mpsc::Receiver<String>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start() -> Self {
        let folder = std::env::temp_dir();
        let mut child = Command::new(env!("CARGO_BIN_EXE_citywatch-gateway"))
            .arg("--leash")
            .env("CITYWATCH_GATEWAY__LISTEN", "127.0.0.1:0")
            .env("CITYWATCH_GATEWAY__WORKERS", "2")
            .env("OTEL_SDK_DISABLED", "true")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// The next line for which `wanted` finds something.
    fn line<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let patience = std::time::Duration::from_secs(20);
        loop {
            let line = self.lines.recv_timeout(patience).expect("a line in time");
            if let Some(found) = wanted(&line) {
                return found;
            }
        }
    }
}

#[tokio::test]
async fn one_json_line_a_request_with_the_id_that_the_client_saw() {
    let mut process = Process::start();
    let ready: Value = process.line(|line| {
        line.strip_prefix("READY ")
            .map(|json| serde_json::from_str(json).unwrap())
    });
    let address = ready["public"].as_str().unwrap().parse().unwrap();

    let mut client = Client::connect(address).await;
    let evil = "GET /\"quoted\"\\?secret=1 HTTP/1.1\r\nhost: t\r\n\r\n";
    for (request, status, path, method, route) in [
        (
            "GET /api/products/7 HTTP/1.1\r\nhost: t\r\n\r\n",
            503,
            "/api/products/7",
            "GET",
            Some("/api/products/{id}"),
        ),
        (
            "PATCH /api/users HTTP/1.1\r\nhost: t\r\n\r\n",
            405,
            "/api/users",
            "PATCH",
            Some("/api/users"),
        ),
        (evil, 404, "/\"quoted\"\\", "GET", None),
        ("nonsense\r\n\r\n", 400, "/", "_OTHER", None),
    ] {
        let answer = client.say(request).await;
        assert_eq!(answer.status, status, "{request}");
        let trace = answer.header("traceresponse").unwrap();
        let trace = trace.split('-').nth(1).unwrap();
        let line: Value = process.line(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["trace_id"] == trace && line["target"] == "access").then_some(line)
        });
        assert_eq!(line["service"], "gateway");
        assert_eq!(line["http.response.status_code"], status);
        assert_eq!(line["url.path"], path);
        assert_eq!(line["http.request.method"], method);
        assert_eq!(line["http.route"].as_str(), route);
        assert_eq!(line["client.address"], "127.0.0.1");
        assert_eq!(line["error.type"], answer.problem());
        assert_eq!(line["http.response.body.size"], answer.body.len());
        assert!(
            line["duration_us"].is_u64() && line["timestamp"].is_string(),
            "{line}"
        );
    }

    // the leash: closing its stdin ends it, in order
    drop(process.child.stdin.take());
    process.line(|line| line.starts_with("STOPPED").then_some(()));
    assert!(process.child.wait().unwrap().success());
}
