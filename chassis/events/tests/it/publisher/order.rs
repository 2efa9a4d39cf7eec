//! Positions have no gaps, and keep the order of each subject, whoever publishes and whoever
//! numbers.

use std::collections::{BTreeMap, BTreeSet};

use events::Event;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::desk::{Notes, follow, head_of, numbers, publish, replicas, write_note};

const SUBJECTS: usize = 7;
const EVENTS: usize = 150;

/// What must hold of a whole feed.
fn assert_whole(all: &[Event], wanted: &BTreeMap<String, Vec<i64>>) {
    let positions: Vec<_> = all.iter().map(|event| event.position).collect();
    let gapless: Vec<_> = (1..).take(all.len()).collect();
    assert_eq!(positions, gapless);
    let ids: BTreeSet<_> = all.iter().map(|event| &event.id).collect();
    assert_eq!(ids.len(), all.len());
    for (subject, written) in wanted {
        assert_eq!(&numbers(all, subject), written, "{subject}");
    }
    assert_eq!(all.len(), wanted.values().map(Vec::len).sum::<usize>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_on_many_instances_make_one_feed() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let instances = replicas().await;
    // A writer a subject: who writes about the same thing takes turns, on whichever instance.
    let mut plans: Vec<Vec<(usize, i64)>> = vec![Vec::new(); SUBJECTS];
    let mut wanted = BTreeMap::new();
    let mut left = EVENTS;
    while left > 0 {
        let plan = random.random_range(0..SUBJECTS);
        let times = random.random_range(1..=3.min(left));
        plans[plan].push((random.random_range(0..3), i64::try_from(times).unwrap()));
        left -= times;
    }
    for (subject, plan) in plans.iter().enumerate() {
        let all: i64 = plan.iter().map(|(_, times)| times).sum();
        wanted.insert(format!("subject-{subject}"), (0..all).collect::<Vec<_>>());
    }
    let instances = &instances;
    let writers = plans.iter().enumerate().map(|(subject, plan)| async move {
        let mut next = 0;
        for (instance, times) in plan {
            let subject = format!("subject-{subject}");
            let order = json!({ "subject": subject, "number": next, "times": times });
            assert_eq!(write_note(&instances[*instance], order).await, 201);
            next += times;
        }
    });
    let writing = futures_util::future::join_all(writers);
    let reading = futures_util::future::join_all(instances.iter().map(|one| follow(one, EVENTS)));
    let (_, feeds) = tokio::join!(writing, reading);
    for feed in &feeds {
        assert_whole(feed, &wanted);
    }
    // Every instance tells the same.
    let ids = |feed: &[Event]| {
        feed.iter()
            .map(|event| event.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&feeds[0]), ids(&feeds[1]));
    assert_eq!(ids(&feeds[0]), ids(&feeds[2]));
}

#[tokio::test]
async fn what_one_instance_publishes_another_tells() {
    let [first, second, _third] = replicas().await;
    let (told, ()) = tokio::join!(follow(&second, 1), publish(&first, "a", 1));
    assert_eq!(numbers(&told, "a"), [1]);
    let other = told[0].data::<Value>().unwrap();
    assert_eq!(other["subject"], "a");
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let [first, second, third] = replicas().await;
    publish(&first, "a", 1).await;
    follow(&first, 1).await;
    let town = first.town().clone();
    for instance in [first, second, third] {
        instance.stop().await;
    }
    let again = town.start::<Notes>(json!({})).await;
    assert_eq!(head_of(&again).await, 1);
    publish(&again, "a", 2).await;
    let all = follow(&again, 2).await;
    let wanted = BTreeMap::from([("a".to_owned(), vec![1, 2])]);
    assert_whole(&all, &wanted);
}
