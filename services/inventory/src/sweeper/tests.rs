use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::{Live, Timestamp};
use faults::Faults;
use prometheus::Registry;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{Clock, run};
use crate::Settings;
use crate::domain::State;
use crate::metrics::Metrics;
use crate::store::testing::{INITIAL, books, items, open};
use crate::store::{Reserved, Store};

const TTL: Duration = Duration::from_secs(900);

/// A clock that shows what it is told, and keeps for what moments it was asked to wait.
#[derive(Clone)]
struct Told {
    now: watch::Sender<Timestamp>,
    waits: Arc<Mutex<Vec<Timestamp>>>,
}

impl Told {
    fn new() -> Self {
        Self {
            now: watch::Sender::new(Timestamp::from_micros(1_800_000_000_000_000)),
            waits: Arc::default(),
        }
    }

    fn advance(&self, by: Duration) {
        self.now.send_modify(|now| *now = now.plus(by));
    }

    /// Waits until it was asked to wait for this many moments, and gives them.
    async fn waits(&self, expected: usize) -> Vec<Timestamp> {
        testing::eventually("it waits", async || {
            let waits = self.waits.lock().unwrap();
            (waits.len() >= expected).then(|| waits.clone())
        })
        .await
    }
}

impl Clock for Told {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn until(&self, moment: Timestamp) -> impl Future<Output = ()> + Send {
        self.waits.lock().unwrap().push(moment);
        let clock = self.now.clone();
        async move {
            let mut now = clock.subscribe();
            now.wait_for(|now| *now >= moment).await.unwrap();
        }
    }
}

/// A sweeper that ends with the value.
struct Sweeping(JoinHandle<()>);

impl Drop for Sweeping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn sweeping(store: &Store, registry: &Registry, clock: &Told) -> Sweeping {
    let metrics = Metrics::register(registry).unwrap();
    let settings = Live::fixed(Settings::default());
    Sweeping(tokio::spawn(run(
        store.clone(),
        metrics,
        settings,
        clock.clone(),
    )))
}

fn counted(registry: &Registry, name: &str) -> u64 {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == name);
    family.unwrap().get_metric()[0].get_counter().get_value() as u64
}

async fn reserve(store: &Store, order: u128, clock: &Told) {
    let units = items(&[(1, 1), (2, 1)]);
    let order = Uuid::from_u128(order);
    let reserved = store.reserve(order, units, clock.now(), TTL).await.unwrap();
    assert!(matches!(reserved, Reserved::New(_)));
}

#[tokio::test]
async fn it_wakes_when_the_first_reservation_expires() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path(), &Faults::default()).await;
    let clock = Told::new();
    let start = clock.now();
    let minute = Duration::from_secs(60);
    reserve(&store, 1, &clock).await;
    let watched = Registry::new();
    let _sweeping = sweeping(&store, &watched, &clock);
    clock.waits(1).await;
    clock.advance(minute);
    reserve(&store, 2, &clock).await;
    clock.advance(TTL - minute);
    clock.waits(2).await;
    let (_, reservations) = books(&store).await;
    let states = [State::Expired, State::Held];
    assert_eq!([0, 1].map(|n| reservations[n].state), states);
    clock.advance(minute);

    let first = start.plus(TTL);
    let second = first.plus(minute);
    // The last is for what others may reserve meanwhile.
    assert_eq!(clock.waits(3).await, [first, second, second.plus(TTL)]);
    assert_eq!(counted(&watched, "citywatch_inventory_sweeps_total"), 3);
    let (stock, reservations) = books(&store).await;
    let initial = i64::from(INITIAL);
    assert!(stock.iter().all(|one| one.on_hand == initial), "{stock:?}");
    assert!(reservations.iter().all(|one| one.state == State::Expired));
}

#[tokio::test]
async fn it_finds_in_time_what_an_instance_that_died_has_left() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open(folder.path(), &Faults::default()).await;
    let (dying, _) = open(folder.path(), &Faults::default()).await;
    let clock = Told::new();
    let _sweeping = sweeping(&store, &Registry::new(), &clock);
    let look_again = clock.now().plus(TTL);
    assert_eq!(clock.waits(1).await, [look_again]);
    // It sleeps already when this is made, and nobody tells it.
    clock.advance(Duration::from_secs(1));
    reserve(&dying, 1, &clock).await;
    drop(dying);
    clock.advance(TTL - Duration::from_secs(1));
    let expiry = look_again.plus(Duration::from_secs(1));
    assert_eq!(clock.waits(2).await, [look_again, expiry]);
    assert_eq!(store.holds().await.unwrap().units, 2);
    clock.advance(Duration::from_secs(1));
    clock.waits(3).await;
    assert_eq!(store.holds().await.unwrap().units, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_sweepers_one_gives_a_reservation_back() {
    let folder = tempfile::tempdir().unwrap();
    let (one, ones) = open(folder.path(), &Faults::default()).await;
    let (other, others) = open(folder.path(), &Faults::default()).await;
    let clock = Told::new();
    for product in [1, 2] {
        let on_hand = crate::domain::OnHand::checked(250).unwrap();
        one.set_on_hand(Uuid::from_u128(product), on_hand)
            .await
            .unwrap();
    }
    for order in 1..=250 {
        reserve(if order % 2 == 0 { &one } else { &other }, order, &clock).await;
    }
    let _one = sweeping(&one, &Registry::new(), &clock);
    let _other = sweeping(&other, &Registry::new(), &clock);
    clock.waits(2).await;
    clock.advance(TTL);
    testing::eventually("all is given back", async || {
        (one.holds().await.unwrap().reservations == 0).then_some(())
    })
    .await;
    let (stock, _) = books(&one).await;
    assert!(stock.iter().all(|one| one.on_hand == 250), "{stock:?}");
    let expired = [ones, others].map(|registry| {
        let families = registry.gather();
        let name = "citywatch_inventory_reservations_total";
        let family = families.iter().find(|family| family.name() == name);
        let series = family.unwrap().get_metric().iter();
        let mut series = series.filter(|series| series.get_label()[0].value() == "expired");
        series.next().unwrap().get_counter().get_value() as u64
    });
    assert_eq!(expired.iter().sum::<u64>(), 250, "{expired:?}");
}
