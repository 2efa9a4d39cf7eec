use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use app::Timestamp;
use faults::Faults;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};
use stores::kv::{self, Kv};
use telemetry::{Exporter, Service, Telemetry};
use uuid::Uuid;

use super::{Store, StoreFailure};
use crate::domain::{Cart, LINES_MAX, Line, MemberId, ProductId, Quantity};
use crate::metrics::Metrics;

const TTL: Duration = Duration::from_secs(30);

async fn opened(folder: &Path) -> (Kv, Store) {
    let builder = Telemetry::builder(Service::new("cart", "0.0.0"));
    let builder = builder.exporter(Exporter::None).without_subscriber();
    let telemetry = builder.build().unwrap();
    let kv = kv::open(&telemetry, "redb:cart.redb", folder).await;
    let kv = kv.unwrap();
    let store = store(&kv);
    (kv, store)
}

fn store(kv: &Kv) -> Store {
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    Store::new(kv, &Faults::default(), metrics)
}

fn member(number: u128) -> MemberId {
    MemberId(Uuid::from_u128(number))
}

fn line(product: u128, count: i64) -> Line {
    Line {
        product: ProductId(Uuid::from_u128(product)),
        quantity: Quantity::new(count).unwrap(),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// Two stores upon one engine, as two processes have upon a shared one: neither knows of the
/// other's turns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_changes_of_one_cart_none_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (kv, one) = opened(folder.path()).await;
    let other = store(&kv);
    let mut changes = tokio::task::JoinSet::new();
    for product in 0..LINES_MAX as u128 {
        let store = if product % 2 == 0 { &one } else { &other }.clone();
        let put = async move { store.put(member(1), line(product, 1), at(0)).await };
        changes.spawn(async move { put.await.unwrap() });
    }
    let mut seen = BTreeMap::new();
    while let Some(cart) = changes.join_next().await {
        let cart = cart.unwrap();
        seen.insert(cart.version(), cart.lines().to_vec());
    }
    let versions: Vec<_> = seen.keys().copied().collect();
    assert_eq!(versions, (1..=LINES_MAX as u64).collect::<Vec<_>>());
    let mut before = Vec::new();
    for (version, lines) in seen {
        assert_eq!(lines.len() as u64, version);
        assert_eq!(lines[..before.len()], before);
        before = lines;
    }
    let conflicts = one.metrics.conflicts() + other.metrics.conflicts();
    assert!(conflicts > 0, "the two never met, so this proves nothing");
}

#[tokio::test]
async fn a_cart_lives_as_long_as_it_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (_kv, store) = opened(folder.path()).await;
    store.put(member(1), line(1, 1), at(0)).await.unwrap();
    store.put(member(2), line(1, 1), at(0)).await.unwrap();
    // Too soon to be written down: member 2 was last touched at the start.
    store.cart(member(2), at(1), TTL).await.unwrap();
    let read = store.cart(member(1), at(2), TTL).await.unwrap();
    assert_eq!((read.version(), read.lines()), (1, &[line(1, 1)][..]));

    assert_eq!(store.sweep(at(30), TTL).await.unwrap(), 0);
    assert_eq!(store.sweep(at(31), TTL).await.unwrap(), 1);
    let left = store.cart(member(1), at(31), TTL).await.unwrap();
    assert_eq!(left.lines(), [line(1, 1)]);
    assert_eq!(store.metrics.swept(), 1);

    // What was version 1 never is again, and neither is its successor, the empty one.
    let expired = store.cart(member(2), at(31), TTL).await.unwrap();
    assert_eq!(expired, Cart::empty(2));
    let again = store.put(member(2), line(9, 9), at(32)).await.unwrap();
    assert_eq!(again.version(), 3);
}

#[tokio::test]
async fn a_sweep_takes_many_pages() {
    let folder = tempfile::tempdir().unwrap();
    let (_kv, store) = opened(folder.path()).await;
    let puts = (0..super::PAGE as u128 * 2 + 3).map(|number| {
        let (store, touched) = (store.clone(), at(i64::from(number % 2 == 0) * 100));
        async move {
            store
                .put(member(number), line(1, 1), touched)
                .await
                .unwrap()
        }
    });
    futures_util::future::join_all(puts).await;
    let expired = super::PAGE as u64 + 1;
    assert_eq!(store.sweep(at(100), TTL).await.unwrap(), expired);
    assert_eq!(store.sweep(at(100), TTL).await.unwrap(), 0);
    let kept = store.cart(member(2), at(100), TTL).await.unwrap();
    assert_eq!(kept.lines(), [line(1, 1)]);
}

#[tokio::test]
async fn a_damaged_record_is_told_and_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (kv, store) = opened(folder.path()).await;
    store.put(member(2), line(1, 1), at(0)).await.unwrap();
    let key = member(1).to_string();
    let carts = kv.collection("carts");
    carts.put(&key, b"\x00garbage".to_vec()).await.unwrap();
    let failures = [
        store.cart(member(1), at(0), TTL).await,
        store.put(member(1), line(1, 1), at(0)).await,
        store.clear(member(1), at(0)).await,
    ];
    for failure in failures {
        let failure = failure.unwrap_err();
        assert!(matches!(failure, StoreFailure::Unreadable { .. }));
        assert!(failure.to_string().contains(&key), "{failure}");
    }
    assert_eq!(store.sweep(at(100), TTL).await.unwrap(), 1);
    assert_eq!(
        carts.get(&key).await.unwrap().as_deref(),
        Some(&b"\x00garbage"[..])
    );

    kv.collection("counters")
        .put(super::FLOOR, b"many".to_vec())
        .await
        .unwrap();
    let failure = store.cart(member(3), at(0), TTL).await.unwrap_err();
    assert!(matches!(failure, StoreFailure::Floor), "{failure}");
}

/// What a store should do, in the plainest words.
#[derive(Default)]
struct Model {
    carts: BTreeMap<u128, Held>,
    /// Every version that any cart was ever seen to have, and what was in it.
    seen: BTreeMap<(u128, u64), Vec<Line>>,
    now: i64,
}

#[derive(Default, Clone)]
struct Held {
    lines: Vec<Line>,
    touched: i64,
}

impl Model {
    fn saw(&mut self, who: u128, cart: &Cart) {
        let held = self.carts.get(&who).cloned().unwrap_or_default();
        assert_eq!(cart.lines(), held.lines);
        let one_content = self.seen.entry((who, cart.version()));
        let content = one_content.or_insert_with(|| held.lines.clone());
        assert_eq!(*content, held.lines, "version {}", cart.version());
        let (&(last, newest), _) = self.seen.range((who, 0)..=(who, u64::MAX)).last().unwrap();
        assert_eq!((last, newest), (who, cart.version()), "it went back");
    }

    fn changed(&mut self, who: u128, lines: Vec<Line>) {
        if self.lines(who) != lines {
            let touched = self.now;
            self.carts.insert(who, Held { lines, touched });
        }
    }

    fn lines(&self, who: u128) -> Vec<Line> {
        self.carts
            .get(&who)
            .map_or_else(Vec::new, |held| held.lines.clone())
    }
}

#[tokio::test]
async fn it_does_what_its_model_does() {
    for seed in 0..6 {
        println!("seed {seed}");
        let folder = tempfile::tempdir().unwrap();
        let (mut kv, mut store) = opened(folder.path()).await;
        let mut random = StdRng::seed_from_u64(seed);
        let mut model = Model::default();
        for _ in 0..250 {
            let who = random.random_range(0..4);
            let product = random.random_range(0..60);
            let now = at(model.now);
            match random.random_range(0..20) {
                0..10 => {
                    let line = line(product, random.random_range(1..=99));
                    let mut lines = model.lines(who);
                    match lines.iter_mut().find(|old| old.product == line.product) {
                        Some(old) => *old = line,
                        None => lines.push(line),
                    }
                    let put = store.put(member(who), line, now).await;
                    if lines.len() > LINES_MAX {
                        assert!(matches!(put, Err(StoreFailure::Full(_))));
                    } else {
                        model.changed(who, lines);
                        model.saw(who, &put.unwrap());
                    }
                }
                10..12 => {
                    let mut lines = model.lines(who);
                    let product = line(product, 1).product;
                    lines.retain(|line| line.product != product);
                    let left = store.remove(member(who), product, now).await.unwrap();
                    model.changed(who, lines);
                    model.saw(who, &left);
                }
                12 => {
                    let cleared = store.clear(member(who), now).await.unwrap();
                    model.changed(who, Vec::new());
                    model.saw(who, &cleared);
                }
                13 => {
                    // Of any version that was ever seen, only the present one is emptied.
                    let current = store.cart(member(who), now, Duration::MAX).await.unwrap();
                    let version = random.random_range(0..=current.version() + 1);
                    let left = store.empty(member(who), version, now).await.unwrap();
                    if version == current.version() {
                        model.changed(who, Vec::new());
                    }
                    model.saw(who, &left);
                    let again = store.empty(member(who), version, now).await.unwrap();
                    assert_eq!(again, left);
                }
                14 => {
                    let cart = store.cart(member(who), now, TTL).await.unwrap();
                    if let Some(held) = model.carts.get_mut(&who)
                        && model.now > held.touched + 1
                    {
                        held.touched = model.now;
                    }
                    model.saw(who, &cart);
                }
                15..18 => model.now += random.random_range(0..9),
                18 => {
                    let before = model.carts.len();
                    let oldest = model.now - 30;
                    model.carts.retain(|_, held| held.touched >= oldest);
                    let expired = (before - model.carts.len()) as u64;
                    assert_eq!(store.sweep(now, TTL).await.unwrap(), expired);
                }
                _ => {
                    drop((kv, store));
                    (kv, store) = opened(folder.path()).await;
                }
            }
        }
        let versions: BTreeSet<_> = model.seen.keys().collect();
        assert!(versions.len() > 100, "too little was seen");
        drop(kv);
    }
}
