//! Stores for tests, and what must be true of each at any time.

use std::collections::BTreeMap;
use std::path::Path;

use events::Outbox;
use faults::Faults;
use prometheus::Registry;
use stores::sql::{self, Durability};
use telemetry::{Exporter, Service, Telemetry};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Store;
use crate::domain::{Item, Items, Reservation, State, Stock};
use crate::metrics::Metrics;
use crate::points::Points;

pub(crate) const INITIAL: u32 = 10;

/// One instance's store in `folder`, with its metrics.
pub(crate) async fn open(folder: &Path, faults: &Faults) -> (Store, Registry) {
    let telemetry = Telemetry::builder(Service::new("inventory", "0.0.0"));
    let telemetry = telemetry.exporter(Exporter::None).without_subscriber();
    let telemetry = telemetry.build().unwrap();
    let sql = sql::open(
        &telemetry,
        "sqlite:inventory.db",
        folder,
        &sqlx::migrate!(),
        Durability::Normal,
    );
    let registry = Registry::new();
    let metrics = Metrics::register(&registry).unwrap();
    let sql = sql.await.unwrap();
    let stopping = CancellationToken::new();
    let outbox = Outbox::open(&telemetry, &sql, "inventory", &stopping);
    let outbox = outbox.await.unwrap();
    let store = Store::new(sql, outbox, INITIAL, Points::new(faults), metrics);
    (store, registry)
}

/// The product's units, each of the items once.
pub(crate) fn items(items: &[(u128, u32)]) -> Items {
    let item = |(product, quantity): &(u128, u32)| Item {
        product_id: Uuid::from_u128(*product),
        quantity: *quantity,
    };
    Items::checked(items.iter().map(item).collect()).unwrap()
}

/// All rows, when they have been found to agree: no unit is lost, made up or promised twice.
pub(crate) async fn books(store: &Store) -> (Vec<Stock>, Vec<Reservation>) {
    let stock = store.stock_after(None, 10_000).await.unwrap();
    let reservations = store.reservations_after(None, 10_000).await.unwrap();
    let units = |state: State| {
        let mut units = BTreeMap::<Uuid, i64>::new();
        for reservation in reservations.iter().filter(|one| one.state == state) {
            for item in reservation.items.iter() {
                *units.entry(item.product_id).or_default() += i64::from(item.quantity);
            }
        }
        units
    };
    let (held, sold) = (units(State::Held), units(State::Confirmed));
    for one in &stock {
        let there = one.initial + one.adjusted;
        assert_eq!(there, one.on_hand + one.held + one.sold, "{one:?}");
        assert!(
            one.on_hand >= 0 && one.held >= 0 && one.sold >= 0,
            "{one:?}"
        );
        let of = |units: &BTreeMap<Uuid, i64>| units.get(&one.product_id).copied();
        assert_eq!(one.held, of(&held).unwrap_or_default(), "{one:?}");
        assert_eq!(one.sold, of(&sold).unwrap_or_default(), "{one:?}");
    }
    for product in held.keys().chain(sold.keys()) {
        assert!(stock.iter().any(|one| one.product_id == *product));
    }
    (stock, reservations)
}
