//! What consumers read of events is what producers have promised, and nobody promises in vain.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::super::prometheus::repository;

/// Events that nobody of the city reads yet: others may.
const UNREAD: [&str; 2] = ["board.PostCreated.v1", "payments.PaymentCaptured.v1"];

#[test]
fn what_consumers_need_is_what_producers_promise() {
    let services = repository().join("services");
    let unsatisfied = events::schema::unsatisfied(&services).unwrap();
    assert_eq!(unsatisfied, Vec::<String>::new());
    let (promised, needed) = (promises(&services), needs(&services));
    let unread: BTreeSet<_> = promised.difference(&needed).map(String::as_str).collect();
    assert_eq!(
        unread,
        BTreeSet::from(UNREAD),
        "promised, and read by nobody"
    );
}

/// `orders.OrderConfirmed.v1`, of every service.
fn promises(services: &Path) -> BTreeSet<String> {
    let mut promises = BTreeSet::new();
    for service in folders(services) {
        let name = service.file_name().unwrap().to_string_lossy().into_owned();
        let files = files(&service.join("events"));
        promises.extend(files.iter().map(|file| format!("{name}.{file}")));
    }
    promises
}

fn needs(services: &Path) -> BTreeSet<String> {
    let folders = folders(services).into_iter();
    folders
        .flat_map(|service| files(&service.join("events/needs")))
        .collect()
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_dir()).collect()
}

/// Names of the schemas of a folder, without their ending.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name());
    let names = names.map(|name| name.to_string_lossy().into_owned());
    names
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect()
}
