//! Values by key.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use stores::kv::{Kv, KvError, open};
use telemetry::Telemetry;
use telemetry::testing::{Kind, Tree};

use crate::opening::unwatched;
use crate::telemetry::{collected, lines};

async fn opened(telemetry: &Telemetry, folder: &Path) -> Result<Kv, KvError> {
    open(telemetry, "redb:test.redb", folder).await
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

#[tokio::test]
async fn values_are_put_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let kv = opened(&unwatched(), folder.path()).await.unwrap();
    let [hats, coats] = [kv.collection("hats"), kv.collection("coats")];
    kv.ping().await.unwrap();
    assert_eq!(hats.get("a").await.unwrap(), None);
    assert!(!hats.delete("a").await.unwrap());
    hats.put("a", b"bowler".to_vec()).await.unwrap();
    hats.put("a", b"fez".to_vec()).await.unwrap();
    coats.put("a", Vec::new()).await.unwrap();
    assert_eq!(hats.get("a").await.unwrap(), bytes("fez"));
    assert_eq!(coats.get("a").await.unwrap(), bytes(""));
    assert!(hats.delete("a").await.unwrap());
    assert_eq!(hats.get("a").await.unwrap(), None);
    assert_eq!(coats.get("a").await.unwrap(), bytes(""));
}

#[tokio::test]
async fn a_value_is_set_only_over_the_expected_one() {
    let folder = tempfile::tempdir().unwrap();
    let kv = opened(&unwatched(), folder.path()).await.unwrap();
    let hats = kv.collection("hats");
    for (expected, new, is_set, left) in [
        (bytes("x"), bytes("y"), false, None),
        (bytes("x"), None, false, None),
        (None, None, true, None),
        (None, bytes("fez"), true, bytes("fez")),
        (None, bytes("cap"), false, bytes("fez")),
        (None, None, false, bytes("fez")),
        (bytes("fe"), bytes("cap"), false, bytes("fez")),
        (bytes("fez"), bytes("fez"), true, bytes("fez")),
        (bytes("fez"), bytes(""), true, bytes("")),
        (None, bytes("cap"), false, bytes("")),
        (bytes(""), None, true, None),
    ] {
        let set = hats.compare_and_set("a", expected.clone(), new.clone());
        assert_eq!(set.await.unwrap(), is_set, "{expected:?} {new:?}");
        assert_eq!(hats.get("a").await.unwrap(), left);
    }
}

#[tokio::test]
async fn a_scan_is_in_the_order_of_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let kv = opened(&unwatched(), folder.path()).await.unwrap();
    let hats = kv.collection("hats");
    assert_eq!(hats.scan(None, 10).await.unwrap(), []);
    for key in ["c", "a", "ab", "가", "b"] {
        hats.put(key, key.as_bytes().to_vec()).await.unwrap();
    }
    let mut seen = Vec::new();
    loop {
        let after = seen.last().map(|(key, _): &(String, Vec<u8>)| key.clone());
        let page = hats.scan(after.as_deref(), 2).await.unwrap();
        assert!(page.len() <= 2);
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    let keys = ["a", "ab", "b", "c", "가"];
    assert_eq!(
        seen,
        keys.map(|key| (key.to_owned(), key.as_bytes().to_vec()))
    );
    assert_eq!(hats.scan(Some("aa"), 1).await.unwrap()[0].0, "ab");
}

/// Each adds one to the value that it saw: what is lost would be missing in the sum.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_each_is_heard_once() {
    let folder = tempfile::tempdir().unwrap();
    let kv = opened(&unwatched(), folder.path()).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let counter = kv.collection("counter");
        writers.spawn(async move {
            let mut refused = 0;
            for _ in 0..10 {
                loop {
                    let seen = counter.get("n").await.unwrap();
                    let n: u64 = seen
                        .as_ref()
                        .map_or(0, |n| String::from_utf8_lossy(n).parse().unwrap());
                    let next = bytes(&(n + 1).to_string());
                    if counter.compare_and_set("n", seen, next).await.unwrap() {
                        break;
                    }
                    refused += 1;
                }
            }
            refused
        });
    }
    let mut refused = 0;
    while let Some(writer) = writers.join_next().await {
        refused += writer.unwrap();
    }
    let counter = kv.collection("counter").get("n").await.unwrap();
    assert_eq!(counter, bytes("160"));
    assert!(refused > 0, "the writers never met");
}

#[tokio::test]
async fn what_was_written_is_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("made/by open");
    let kv = opened(&unwatched(), &inner).await.unwrap();
    kv.collection("hats")
        .put("a", b"fez".to_vec())
        .await
        .unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner.join("test.redb")), 0o600);
    assert_eq!(mode(&inner), 0o700);

    // Neither this process nor another may open it twice.
    let second = opened(&unwatched(), &inner).await.unwrap_err();
    assert!(matches!(second, KvError::InUse(_)), "{second:?}");
    let ended = kv.ended();
    drop(kv);
    ended.await;
    let kv = opened(&unwatched(), &inner).await.unwrap();
    assert_eq!(kv.collection("hats").get("a").await.unwrap(), bytes("fez"));
}

#[tokio::test]
async fn operations_are_counted_and_within_a_request_they_are_spans() {
    let folder = tempfile::tempdir().unwrap();
    let (telemetry, collector) = collected();
    let kv = opened(&telemetry, folder.path()).await.unwrap();
    let hats = kv.collection("hats");
    hats.put("a", b"fez".to_vec()).await.unwrap();
    hats.scan(None, 1).await.unwrap();
    assert_eq!(collector.spans().await, [], "a sweep begins no trace");

    let request = telemetry.span("request").start();
    request
        .in_scope(async {
            hats.get("secret").await.unwrap();
            hats.put("a", b"secret".to_vec()).await.unwrap();
            hats.compare_and_set("a", None, None).await.unwrap();
            hats.delete("secret").await.unwrap();
            kv.ping().await.unwrap();
        })
        .await;
    drop(request);
    let tree = Tree::one(collector.spans().await);
    tree.assert_shape(
        "shop request
           shop GET hats
           shop PUT hats
           shop COMPARE_AND_SET hats
           shop DELETE hats
           shop PING",
    );
    tree.assert_no_error();
    let get = tree.span("GET hats");
    assert_eq!(get.kind, Kind::Client);
    for (attribute, value) in [
        ("db.system.name", "redb"),
        ("db.namespace", "test.redb"),
        ("db.operation.name", "GET"),
        ("db.collection.name", "hats"),
        ("db.query.summary", "GET hats"),
    ] {
        assert_eq!(get.text(attribute), Some(value));
    }
    assert!(!format!("{:?}", tree.spans()).contains("secret"));

    let of = "db_system_name=\"redb\",db_namespace=\"test.redb\"";
    let mut counts = lines(&telemetry, "db_client_operation_duration_seconds_count");
    counts.sort();
    let expected = [
        ("COMPARE_AND_SET", 1),
        ("DELETE", 1),
        ("GET", 1),
        ("PING", 1),
        ("PUT", 2),
        ("SCAN", 1),
    ];
    let expected = expected.map(|(operation, count)| match operation {
        "PING" => {
            format!("{{{of},db_operation_name=\"PING\",db_query_summary=\"PING\"}} {count}")
        }
        _ => format!(
            "{{{of},db_operation_name=\"{operation}\",db_collection_name=\"hats\",\
             db_query_summary=\"{operation} hats\"}} {count}"
        ),
    });
    assert_eq!(counts, expected);
}
