//! The page in a real browser, where there is one: what it draws, and where its links lead.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::{Span, span::Link};
use tokio::process::Command;

use crate::samples::{NOON, encoded, span};
use crate::sut::Sut;

const MILLI: u64 = 1_000_000;
const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

/// What the page has become once its scripts have run.
async fn page(chromium: &PathBuf, url: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(chromium);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--virtual-time-budget=10000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(120), command.output()).await;
    String::from_utf8(output.expect("it ends").unwrap().stdout).unwrap()
}

fn chromium() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&folders)
        .map(|folder| folder.join("chromium"))
        .find(|program| program.is_file());
    if found.is_none() {
        let why = "chromium is not installed, which looks at the page";
        // Straight to stderr: the test harness swallows what a passing test prints.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
    }
    found
}

fn of_kind(mut span: Span, kind: i32, links: &[(u128, u64)]) -> Span {
    span.kind = kind;
    span.links = links
        .iter()
        .map(|(trace, id)| Link {
            trace_id: trace.to_be_bytes().to_vec(),
            span_id: id.to_be_bytes().to_vec(),
            ..Link::default()
        })
        .collect();
    span
}

#[tokio::test]
async fn time_in_a_queue_is_drawn_and_told_and_links_lead_to_spans() {
    let Some(chromium) = chromium() else { return };
    let sut = Sut::start().await;
    let publish = span(1, 2, 1, "publish orders", NOON + 10 * MILLI, 2_000);
    let orders = vec![
        span(1, 1, 0, "POST /api/orders", NOON, 20_000),
        of_kind(publish, PRODUCER, &[]),
    ];
    // A child of the message and linked to it; and one of another trace.
    let process = span(1, 3, 2, "process orders", NOON + 52 * MILLI, 8_000);
    let shipping = vec![of_kind(process, CONSUMER, &[(1, 2), (7, 9)])];
    for (service, spans) in [("orders", orders), ("shipping", shipping)] {
        let sent = sut.post("/v1/traces", encoded(service, spans)).send().await;
        assert_eq!(sent.unwrap().status(), 200);
    }
    let trace = format!("{}/trace/0000000000000001", sut.running.url);
    let drawn = page(&chromium, &trace).await;
    // From 12 to 52 of 60 ms.
    assert!(
        drawn.contains(r#"class="wait" style="left: 20%; width: 66.6667%;""#),
        "{drawn}"
    );
    assert!(drawn.contains("<span>queued 40.0 ms</span>"), "{drawn}");
    let told = "queued 40.0 ms since the end of orders publish orders, \
                starts after 52.0 ms, lasts 8.00 ms";
    assert!(drawn.contains(told), "{drawn}");
    assert_eq!(drawn.matches("class=\"wait\"").count(), 2, "and the key");
    assert!(!drawn.contains("class=\"detail\""), "{drawn}");

    let there = page(&chromium, &format!("{trace}?span=0000000000000003")).await;
    let detail = there.split("class=\"detail\"").nth(1).expect("is open");
    let own = r#"<a href="/trace/0000000000000001?span=0000000000000002" data-link="">orders publish orders</a>"#;
    assert_eq!(
        detail.matches(own).count(),
        2,
        "what it waited for, and its link: {detail}"
    );
    let other = r#"<a href="/trace/0000000000000007?span=0000000000000009" data-link="">"#;
    assert!(detail.contains(other), "{detail}");
    assert!(detail.contains("Queued <b>40.0 ms</b>"), "{detail}");
}
