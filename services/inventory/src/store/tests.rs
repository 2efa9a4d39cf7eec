//! Whatever is asked for, again and in any order: the store does what a plain model does, and its
//! books agree after each step.

mod model;

use std::time::Duration;

use app::Timestamp;
use faults::Faults;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

use super::testing::{books, open};
use super::{Failure, Reserved, Store};
use crate::domain::{Items, OnHand, State};
use model::Model;

const TTL: Duration = Duration::from_secs(900);

/// One request, or time that passes.
#[derive(Debug, Clone)]
enum Step {
    Reserve(Uuid, Items),
    Confirm(Uuid),
    Release(Uuid),
    Adjust(Uuid, OnHand),
    Sweep,
    Wait(Duration),
}

/// What came of a step, as far as a caller can tell.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    New,
    Again(State),
    OutOfStock(Vec<Uuid>),
    Differs,
    Unknown,
    Confirmed,
    Released,
    Expired,
    Swept(usize),
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::OutOfStock(products) => Self::OutOfStock(products),
            Failure::Differs => Self::Differs,
            Failure::Unknown => Self::Unknown,
            Failure::Confirmed => Self::Confirmed,
            Failure::Released => Self::Released,
            Failure::Expired => Self::Expired,
            other => panic!("{other:?}"),
        }
    }
}

async fn take(store: &Store, step: Step, now: Timestamp) -> Outcome {
    let outcome = match step {
        Step::Reserve(order, items) => {
            let reserved = store.reserve(order, items, now, TTL).await;
            reserved.map(|reserved| match reserved {
                Reserved::New(_) => Outcome::New,
                Reserved::Again(known) => Outcome::Again(known.state),
            })
        }
        Step::Confirm(order) => store.confirm(order, now).await.map(|sold| {
            assert_eq!(sold.state, State::Confirmed);
            Outcome::Done
        }),
        Step::Release(order) => store.release(order).await.map(|released| {
            assert_eq!(released.state, State::Released);
            Outcome::Done
        }),
        Step::Adjust(product, on_hand) => store.set_on_hand(product, on_hand).await.map(|stock| {
            assert_eq!(stock.on_hand, on_hand.units());
            Outcome::Done
        }),
        Step::Sweep => store.expire(now).await.map(Outcome::Swept),
        Step::Wait(_) => Ok(Outcome::Done),
    };
    outcome.unwrap_or_else(Outcome::from)
}

/// Few orders and products and little stock: most steps meet what others left.
fn any_step(random: &mut StdRng) -> Step {
    let order = Uuid::from_u128(random.random_range(1..=6));
    match random.random_range(0..100) {
        // An order asks for the same each time, but for a few that are wrong.
        0..35 => {
            let wrong = random.random_bool(0.1);
            Step::Reserve(order, items_of(order, wrong))
        }
        35..55 => Step::Confirm(order),
        55..70 => Step::Release(order),
        70..78 => {
            let product = Uuid::from_u128(random.random_range(1..=4));
            let units = *[0, 1, 5, 12].choose(random).unwrap();
            Step::Adjust(product, OnHand::checked(units).unwrap())
        }
        78..88 => Step::Sweep,
        _ => Step::Wait(TTL.mul_f64(random.random_range(0.1..0.7))),
    }
}

fn items_of(order: Uuid, wrong: bool) -> Items {
    let n = order.as_u128();
    let first = (n % 4 + 1, u32::try_from(n).unwrap() + u32::from(wrong));
    let second = ((n + 1) % 4 + 1, 4);
    super::testing::items(&[first, second])
}

#[tokio::test]
async fn it_does_what_a_plain_model_does() {
    for seed in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        // Two instances on one store: whichever is asked.
        let (one, _) = open(folder.path(), &Faults::default()).await;
        let (other, _) = open(folder.path(), &Faults::default()).await;
        let mut random = StdRng::seed_from_u64(seed);
        let mut model = Model::default();
        let mut now = Timestamp::from_micros(1_800_000_000_000_000);
        let mut taken = Vec::new();
        for _ in 0..40 {
            let step = any_step(&mut random);
            taken.push(step.clone());
            if let Step::Wait(time) = step {
                now = now.plus(time);
            }
            let store = if random.random() { &one } else { &other };
            let outcome = take(store, step.clone(), now).await;
            let expected = model.take(step, now);
            assert_eq!(outcome, expected, "seed {seed}: {taken:#?}");
            let (stock, reservations) = books(store).await;
            assert_eq!(stock, model.stock(), "seed {seed}: {taken:#?}");
            assert_eq!(
                reservations,
                model.reservations(),
                "seed {seed}: {taken:#?}"
            );
        }
    }
}

/// What many ask for at once leaves books that agree, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_promised_twice_to_many_at_once() {
    for seed in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let (one, _) = open(folder.path(), &Faults::default()).await;
        let (other, _) = open(folder.path(), &Faults::default()).await;
        let start = Timestamp::from_micros(1_800_000_000_000_000);
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..8 {
            let store = if client % 2 == 0 { &one } else { &other }.clone();
            clients.spawn(async move {
                let mut random = StdRng::seed_from_u64(seed * 8 + client);
                for n in 0..30 {
                    let now = start.plus(TTL.mul_f64(f64::from(n) / 20.0));
                    take(&store, any_step(&mut random), now).await;
                }
            });
        }
        while let Some(ended) = clients.join_next().await {
            ended.unwrap();
            books(&one).await;
        }
    }
}
