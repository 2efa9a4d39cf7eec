//! Slow, failing and silent: what a client sees, and what the book says.

use std::time::{Duration, Instant};

use acquirer::Moods;
use reqwest::StatusCode;
use tempfile::TempDir;

use crate::bank::{Bank, open};

async fn in_mood(folder: &TempDir, moods: Moods) -> Bank {
    open(&folder.path().join("book.jsonl"), moods).await
}

/// Long enough to be sure that no answer comes.
const SILENCE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn before_it_has_charged_it_fails_in_both_ways_and_the_book_is_empty() {
    let folder = TempDir::new().unwrap();
    let moods = Moods {
        fail_before: 1.0,
        ..Moods::default()
    };
    let bank = in_mood(&folder, moods).await;
    assert_eq!(both_failures(&bank).await, 0);
}

#[tokio::test]
async fn after_it_has_charged_it_fails_in_both_ways_and_the_book_has_each() {
    let folder = TempDir::new().unwrap();
    let moods = Moods {
        fail_after: 1.0,
        ..Moods::default()
    };
    let bank = in_mood(&folder, moods).await;
    let booked = both_failures(&bank).await;
    assert_eq!(booked, bank.by_reference("order-1").await.len());
    assert!(booked >= 2);
    let id = bank.book().await[0]["id"].as_str().unwrap().to_owned();
    let url = format!("{}/charges/{id}/refunds", bank.url);
    let refund = bank.http.post(url).send().await;
    assert!(refund.is_err() || refund.unwrap().status() == 500);
    assert_eq!(bank.book().await.last().unwrap()["kind"], "refund");
}

/// Charges until it was answered 500 and had its connection cut; how many are in the book.
async fn both_failures(bank: &Bank) -> usize {
    let (mut answered, mut cut) = (0, 0);
    // The odds of never seeing one of two even chances: 1 in 2^199.
    for _ in 0..200 {
        match bank.charge("order-1").await {
            Ok(answer) => {
                assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
                answered += 1;
            }
            Err(_) => cut += 1,
        }
        if answered > 0 && cut > 0 {
            return bank.book().await.len();
        }
    }
    panic!("{answered} answered, {cut} cut");
}

#[tokio::test]
async fn it_can_go_silent_before_and_after() {
    for (before, booked) in [(1.0, 0), (0.0, 1)] {
        let folder = TempDir::new().unwrap();
        let moods = Moods {
            hang_before: before,
            hang_after: 1.0 - before,
            ..Moods::default()
        };
        let bank = in_mood(&folder, moods).await;
        let silence = tokio::time::timeout(SILENCE, bank.charge("order-1")).await;
        assert!(silence.is_err(), "{silence:?}");
        assert_eq!(bank.book().await.len(), booked);
    }
}

/// Who hangs up must not believe that nothing happened.
#[tokio::test]
async fn what_it_was_asked_for_it_does_though_the_asker_hangs_up() {
    let folder = TempDir::new().unwrap();
    let moods = Moods {
        delay_ms: 200,
        ..Moods::default()
    };
    let bank = in_mood(&folder, moods).await;
    let asked = tokio::time::timeout(Duration::from_millis(100), bank.charge("order-1")).await;
    assert!(asked.is_err(), "it answered before its delay");
    assert!(bank.book().await.is_empty());
    let patience = Instant::now();
    while bank.book().await.is_empty() {
        assert!(patience.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_declined_charge_is_not_in_the_book() {
    let folder = TempDir::new().unwrap();
    let moods = Moods {
        decline: 1.0,
        ..Moods::default()
    };
    let bank = in_mood(&folder, moods).await;
    let answer = bank.charge("order-1").await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYMENT_REQUIRED);
    assert!(bank.by_reference("order-1").await.is_empty());
}
