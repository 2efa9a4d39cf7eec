//! Three instances on one store, which die, stand still and steal each other's work, and events that
//! fail: of each subject the events have their effects in order, and each once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use events::{Event, Failure};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};
use testing::Running;
use tokio::task::JoinSet;

use super::bench::{Bench, consumer_state, letters, operator, until};
use super::crashes::arm;

const SUBJECTS: [&str; 5] = ["a", "b", "c", "d", "e"];
const REPLICAS: usize = 3;
const STEPS: usize = 40;
/// More attempts than any event needs that is not poisoned.
const ATTEMPTS: u32 = 5;

/// What is to become of an event.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Well,
    /// It fails so often.
    Fails(u32),
    /// It asks so often to be taken later.
    Waits(u32),
    /// The handler panics so often.
    Panics(u32),
    /// It fails until all are healed.
    Poisoned,
}

/// What must come true.
#[derive(Default)]
struct Model {
    /// How many events of each subject were published: the numbers from 1.
    published: BTreeMap<&'static str, i64>,
    fates: BTreeMap<(String, i64), Fate>,
    healed: bool,
}

impl Model {
    /// What the handler says to an event.
    fn opinion(&mut self, event: &Event) -> Result<(), Failure> {
        let body: Value = event.data()?;
        let key = (event.subject.clone(), body["n"].as_i64().unwrap());
        let fate = self.fates.get_mut(&key).expect("a published event");
        match fate {
            Fate::Fails(left @ 1..) => {
                *left -= 1;
                Err(Failure::Event("fails".to_owned()))
            }
            Fate::Waits(left @ 1..) => {
                *left -= 1;
                Err(Failure::Later("waits".to_owned()))
            }
            Fate::Panics(left @ 1..) => {
                *left -= 1;
                Err(Failure::Event("panics".to_owned()))
            }
            Fate::Poisoned if !self.healed => Err(Failure::Event("poisoned".to_owned())),
            _ => Ok(()),
        }
    }
}

struct Run {
    seed: u64,
    random: StdRng,
    bench: Bench,
    model: Arc<Mutex<Model>>,
    replicas: Vec<Running>,
}

impl Run {
    async fn open(seed: u64) -> Self {
        let bench = Bench::open().await;
        let model: Arc<Mutex<Model>> = Arc::default();
        let told = Arc::clone(&model);
        bench.script.says(move |event| {
            let fate = told.lock().unwrap().opinion(event);
            if fate == Err(Failure::Event("panics".to_owned())) {
                panic!("seed {seed}: as it was told");
            }
            fate
        });
        let mut run = Self {
            seed,
            random: StdRng::seed_from_u64(seed),
            bench,
            model,
            replicas: Vec::new(),
        };
        for _ in 0..REPLICAS {
            run.replicas.push(run.start().await);
        }
        run
    }

    async fn start(&self) -> Running {
        let settings = json!({
            "faults_enabled": true, "events_attempts": ATTEMPTS,
            "events_backoff_ms": 5, "events_backoff_max_ms": 40,
        });
        self.bench.consumer(settings).await
    }

    fn publish(&mut self) {
        for _ in 0..self.random.random_range(1..12) {
            let subject = *SUBJECTS.choose(&mut self.random).unwrap();
            let fate = match self.random.random_range(0..20) {
                0 | 1 => Fate::Fails(self.random.random_range(1..3)),
                2 => Fate::Waits(self.random.random_range(1..4)),
                3 => Fate::Panics(1),
                4 => Fate::Poisoned,
                _ => Fate::Well,
            };
            let mut model = self.model.lock().unwrap();
            let n = model.published.entry(subject).or_default();
            *n += 1;
            let n = *n;
            model.fates.insert((subject.to_owned(), n), fate);
            drop(model);
            self.bench.count(subject, n);
        }
    }

    /// Something that goes wrong, or right.
    async fn step(&mut self) {
        match self.random.random_range(0..12) {
            0 => {
                let replica = self.random.random_range(0..REPLICAS);
                self.replicas.swap_remove(replica).kill().await;
                self.replicas.push(self.start().await);
            }
            1 => {
                let replica = self.random.random_range(0..REPLICAS);
                self.replicas.swap_remove(replica).stop().await;
                self.replicas.push(self.start().await);
            }
            2 | 3 => self.strike().await,
            4 => self.steal().await,
            5 => {
                let away = self.random.random_bool(0.5);
                self.bench.feed.set_away(away);
            }
            _ => self.publish(),
        }
        let pause = self.random.random_range(0..25);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    /// A commit or a poll of an instance fails, be it before or after it is done, or takes long.
    async fn strike(&mut self) {
        let step = ["orders", "orders.park", "orders.retry"].choose(&mut self.random);
        let side = ["before", "after"].choose(&mut self.random).unwrap();
        let point = if self.random.random_bool(0.2) {
            format!("orders.{side}_send")
        } else {
            format!("{}.{side}_commit", step.unwrap())
        };
        let fault = if self.random.random_bool(0.7) {
            json!({"action": "error", "io": "reset", "count": 2, "lease_ms": 5_000})
        } else {
            json!({"action": "latency", "delay_ms": 150, "count": 1, "lease_ms": 5_000})
        };
        let replica = self.replicas.choose(&mut self.random).unwrap();
        arm(replica, &point, &fault).await;
    }

    /// Whoever follows the feed does so unknown to the others: two do.
    async fn steal(&mut self) {
        let store = self.bench.store().await;
        let steal = sqlx::query("UPDATE event_cursors SET lease_until = 0");
        steal.execute(&store).await.unwrap();
        store.close().await;
    }

    /// Whatever has happened so far: no effect is missing before another of its subject, and none
    /// was had twice.
    async fn check(&self) {
        for (subject, numbers) in self.bench.effects().await {
            let expected: Vec<_> = (1..).take(numbers.len()).collect();
            assert_eq!(numbers, expected, "seed {}: {subject}", self.seed);
        }
    }

    /// All wounds are dressed: then all that was published has had its effect.
    async fn heal(&mut self) {
        self.bench.feed.set_away(false);
        self.model.lock().unwrap().healed = true;
        let published = self.model.lock().unwrap().published.clone();
        let about = format!("seed {}: all is well", self.seed);
        until(&about, async || {
            let replica = &self.replicas[0];
            for letter in letters(replica).await {
                if letter["state"] == "dead" {
                    let id = letter["event_id"].as_str().unwrap();
                    let path = format!("/inner/v1/events/dead/{id}/replay");
                    let answer = operator(replica, Method::POST, &path).await;
                    // Another attempt may have had the better of it.
                    assert!([202, 404].contains(&answer.status().as_u16()), "{about}");
                }
            }
            self.check().await;
            let effects = self.bench.effects().await;
            let done = published.iter().all(|(subject, count)| {
                effects
                    .get(*subject)
                    .is_some_and(|had| had.len() as i64 == *count)
            });
            let state = consumer_state(replica).await;
            let left = ["lag_events", "retrying", "waiting", "dead"];
            let rest = left.iter().all(|left| state[*left] == 0);
            (done && rest).then_some(())
        })
        .await;
        self.check().await;
    }
}

async fn run(seed: u64) {
    let mut run = Run::open(seed).await;
    for _ in 0..STEPS {
        run.step().await;
        run.check().await;
    }
    run.heal().await;
    for replica in run.replicas {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_order_of_each_subject_holds_and_each_effect_counts_once() {
    let seeds: Vec<u64> = match std::env::var("CITYWATCH_SEED") {
        Ok(seed) => vec![seed.parse().expect("a number")],
        Err(_) => (1..=4).collect(),
    };
    let mut runs = JoinSet::new();
    for seed in seeds {
        runs.spawn(run(seed));
    }
    while let Some(outcome) = runs.join_next().await {
        outcome.unwrap();
    }
}
