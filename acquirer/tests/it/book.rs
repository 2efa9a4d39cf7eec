//! The book survives, and is never wrong about what was answered.

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;

use acquirer::{Acquirer, BookError, Error, Moods, Options};
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::Value;
use tempfile::TempDir;

use crate::bank::open;

#[tokio::test]
async fn a_torn_last_line_is_cut_and_all_else_is_kept() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("book.jsonl");
    let bank = open(&file, Moods::default()).await;
    let kept = bank.charged("order-1").await;
    let refunded = bank.charged("order-2").await;
    assert_eq!(bank.refund(&refunded).await, StatusCode::CREATED);
    bank.close().await;
    let whole = fs::read(&file).unwrap();

    // Wherever the write of a further line was cut off.
    let last = whole
        .split_inclusive(|byte| *byte == b'\n')
        .next_back()
        .unwrap();
    for torn in [1, last.len() / 2, last.len() - 1] {
        let mut end = OpenOptions::new().append(true).open(&file).unwrap();
        end.write_all(&last[..torn]).unwrap();
        drop(end);
        let bank = open(&file, Moods::default()).await;
        assert_eq!(bank.book().await.len(), 3);
        assert_eq!(bank.by_reference("order-1").await[0]["id"], *kept);
        assert_eq!(bank.refund(&refunded).await, StatusCode::CONFLICT);
        bank.close().await;
        assert_eq!(fs::read(&file).unwrap(), whole);
    }

    let bank = open(&file, Moods::default()).await;
    bank.charged("order-3").await;
    let book = bank.book().await;
    assert_eq!(book[3]["seq"], 4);
    assert_eq!(book[3]["reference"], "order-3");
}

#[tokio::test]
async fn a_book_that_is_not_its_own_is_not_touched() {
    let folder = TempDir::new().unwrap();
    let book = folder.path().join("book.jsonl");
    fs::write(&book, "{\"seq\":1}\n").unwrap();
    let options = Options {
        book: book.clone(),
        ..Options::default()
    };
    let error = Acquirer::open(&options).await.err().unwrap();
    assert!(
        matches!(error, Error::Book(BookError::Line { line: 1, .. })),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&book).unwrap(), "{\"seq\":1}\n");

    fs::write(&book, "").unwrap();
    let open_one = Acquirer::open(&options).await.unwrap();
    let error = Acquirer::open(&options).await.err().unwrap();
    assert!(
        matches!(error, Error::Book(BookError::Locked { .. })),
        "{error}"
    );
    drop(open_one);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_each_written_once_and_refunded_once() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("book.jsonl");
    let bank = open(&file, Moods::default()).await;
    let references: Vec<_> = (0..200).map(|n| format!("order-{}", n % 50)).collect();
    let charges = references.iter().map(|reference| bank.charged(reference));
    let ids = join_all(charges).await;
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 200);

    let refunds = ids[..20]
        .iter()
        .flat_map(|id| [bank.refund(id), bank.refund(id)]);
    let statuses = join_all(refunds).await;
    let count = |status| statuses.iter().filter(|s| **s == status).count();
    assert_eq!(count(StatusCode::CREATED), 20);
    assert_eq!(count(StatusCode::CONFLICT), 20);

    let book = bank.book().await;
    assert_eq!(book.len(), 220);
    for (line, seq) in book.iter().zip(1..) {
        assert_eq!(line["seq"], Value::from(seq));
    }
    for n in 0..50 {
        assert_eq!(bank.by_reference(&format!("order-{n}")).await.len(), 4);
    }
    let served = bank.http.get(format!("{}/book", bank.url)).send().await;
    let served = served.unwrap().text().await.unwrap();
    assert_eq!(served, fs::read_to_string(&file).unwrap());
}
