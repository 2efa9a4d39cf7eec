//! The binary that the city starts.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

fn start(folder: &TempDir, variables: &[(&str, &str)]) -> (Child, Value) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_citywatch-acquirer"))
        .arg("--leash")
        .env("ACQUIRER_BOOK", folder.path().join("bank/book.jsonl"))
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    said.read_line(&mut line).unwrap();
    let ready = line.strip_prefix("READY ").expect("the line of readiness");
    (child, serde_json::from_str(ready).unwrap())
}

#[tokio::test]
async fn it_says_where_it_is_and_ends_with_its_leash_and_keeps_its_book_when_killed() {
    let folder = TempDir::new().unwrap();
    let order = json!({ "reference": "order-1", "amount": 5, "currency": "EUR" });
    let http = reqwest::Client::new();

    let (mut child, ready) = start(&folder, &[]);
    assert_eq!(ready["service"], "acquirer");
    assert_eq!(ready["admin"], Value::Null);
    let url = format!("http://{}", ready["public"].as_str().unwrap());
    let live = http.get(format!("{url}/livez")).send().await.unwrap();
    assert!(live.status().is_success());
    let charged = http
        .post(format!("{url}/charges"))
        .json(&order)
        .send()
        .await;
    assert_eq!(charged.unwrap().status(), 201);
    child.kill().unwrap();
    child.wait().unwrap();

    let (mut child, ready) = start(&folder, &[("ACQUIRER_DECLINE", "1")]);
    let url = format!("http://{}", ready["public"].as_str().unwrap());
    let book = http.get(format!("{url}/book")).send().await.unwrap();
    assert_eq!(book.text().await.unwrap().lines().count(), 1);
    let declined = http
        .post(format!("{url}/charges"))
        .json(&order)
        .send()
        .await;
    assert_eq!(declined.unwrap().status(), 402);
    child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"still here")
        .unwrap();
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn it_refuses_what_it_does_not_understand() {
    let run = |arguments: &[&str], variable: Option<(&str, &str)>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_citywatch-acquirer"));
        let output = command.args(arguments).envs(variable).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(run(&["--loud"], None).contains("--loud"));
    let said = run(&[], Some(("ACQUIRER_FAIL_AFTER", "often")));
    assert!(said.contains("ACQUIRER_FAIL_AFTER"), "{said}");
}
