use discovery::{Document, RegistryClient, RegistryError, Snapshot};
use serde_json::json;

use crate::fake::{Fake, within};

fn document(version: u64) -> Document {
    Document {
        name: "city".to_owned(),
        version,
        updated_at: "2026-11-21T00:00:00Z".to_owned(),
        updated_by: "operator".to_owned(),
        value: json!({ "log": "debug" }),
    }
}

#[tokio::test]
async fn a_document_stays_known_whatever_becomes_of_the_registry() {
    let mut fake = Fake::start().await;
    let client = fake.client();
    let mut watch = client.watch_document("city");
    assert_eq!(*watch.borrow_and_update(), None);
    let stream = fake.stream().await;
    assert_eq!(stream.path, "/v1/documents/city/watch");
    stream.send("document", &json!(document(1)).to_string());
    within(watch.changed()).await.unwrap();
    assert_eq!(*watch.borrow_and_update(), Some(document(1)));

    fake.kill().await;
    stream.closed().await;
    fake.revive().await;
    let stream = fake.stream().await;
    stream.send("document", "null");
    stream.send("document", &json!(document(2)).to_string());
    within(watch.changed()).await.unwrap();
    assert_eq!(*watch.borrow_and_update(), Some(document(2)));
    assert_eq!(client.documents().known("city"), Some(document(2)));
}

#[tokio::test]
async fn a_document_is_followed_from_the_first_to_the_last_of_its_receivers() {
    let mut fake = Fake::start().await;
    let client = fake.client();
    let first = client.watch_document("city");
    let second = client.watch_document("city");
    let stream = fake.stream().await;
    drop(first);
    stream.send("document", &json!(document(1)).to_string());
    let mut second = second;
    within(second.changed()).await.unwrap();
    drop(second);
    stream.closed().await;

    // What was known is known to the next receiver at once, and it is followed again.
    let third = client.watch_document("city");
    assert_eq!(*third.borrow(), Some(document(1)));
    let _stream = fake.stream().await;
}

#[tokio::test]
async fn a_restart_without_registry_starts_from_the_snapshot() {
    let mut fake = Fake::start().await;
    fake.kill().await;
    let client = fake.client();
    let mut watch = client.watch_document("city");
    client.documents().restore(Snapshot {
        documents: vec![document(7)],
    });
    within(watch.changed()).await.unwrap();
    assert_eq!(*watch.borrow_and_update(), Some(document(7)));
    assert!(client.refetch("city").await.unwrap_err().is_unreachable());
    assert_eq!(client.documents().snapshot().documents, [document(7)]);
}

#[tokio::test]
async fn odd_names_and_addresses_are_refused_before_anything_is_sent() {
    let fake = Fake::start().await;
    for name in ["", "..", "a/b", "A"] {
        let refused = fake.client().get(name).await.unwrap_err();
        assert!(
            matches!(refused, RegistryError::InvalidName),
            "{name}: {refused:?}"
        );
    }
    for url in [
        "",
        "127.0.0.1:8500",
        "ftp://a",
        "http://",
        "http://a?b",
        "http://a#b",
    ] {
        let http = reqwest_middleware::ClientBuilder::new(reqwest::Client::new()).build();
        let refused = RegistryClient::new(url, http, None)
            .get("city")
            .await
            .unwrap_err();
        assert!(
            matches!(refused, RegistryError::InvalidUrl),
            "{url}: {refused:?}"
        );
    }
}
