//! Charges and refunds: whatever breaks, a key is charged at most once, net.
//!
//! The bank does not know a charge that it is sent twice, and a request that is on the wire
//! cannot be called back. What keeps a member from paying twice is this:
//!
//! 1. **The row comes first.** A charge is a row, durable before the bank is asked. Whoever sends
//!    has claimed the row: it has the row's newest `attempt`, and the row says until when
//!    (`due_at`) nobody else may claim it. An attempt sends once at most.
//! 2. **A claim outlasts its request.** A request may begin only within [`claim::SEND_WITHIN`] of
//!    the claim, is cut off at the edge's deadline, and a bank that has received it books it
//!    within `settle_ms`, or never. The claim lasts as long as all three together.
//!    Whoever sends looks at a monotonic clock right before, and again whenever its call is
//!    woken: a process that was stopped for longer drops the request.
//! 3. **Asked before charged again.** Whoever claims a row after another first asks the bank by
//!    reference. By 2, what an earlier attempt sent is in the book by then, or will never be.
//! 4. **Refunds need no fence.** The bank takes a charge back once, and the states from which
//!    charges are taken back are never left: a refund that comes late is right or does nothing.
//!
//! What is left is a process that is stopped between its last look at the clock and the system
//! call that writes the request, for longer than the claim lasts, or a bank that books later than
//! it promised, or a clock of the machine that is set forward meanwhile. Then the bank may charge
//! a second time, after the row was settled. This is not prevented but repaired: the bank is asked
//! about every charge once more when it is settled, and about those that were claimed more than
//! once for hours ([`reconcile`]); a charge that is not the row's own is refunded at once. An
//! attempt that finds, when it is back, that the row was claimed by another asks for that check
//! at once.

mod bank;
mod charge;
mod claim;
mod desk;
mod error;
mod events;
mod http;
mod metrics;
mod points;
mod reconcile;
mod resolve;
mod settings;
mod store;

pub use settings::Settings;

use std::sync::Arc;

use ::events::Events;
use app::{City, Parts, Service, StartError, with_causes};
use stores::sql::{self, Durability};
use utoipa::OpenApi as _;

use bank::Bank;
use desk::Desk;
use events::{PaymentCaptured, PaymentRefunded};
use metrics::Metrics;
use points::Points;
use store::Store;

/// The service.
pub struct Payments;

impl Service for Payments {
    const NAME: &'static str = "payments";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        http::Api::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let settings = city.settings.load();
        let metrics = Metrics::register(city.telemetry.registry()).map_err(StartError::new)?;
        let sql = sql::open(
            &city.telemetry,
            &settings.store_url,
            &city.common.load().data_dir,
            &store::MIGRATIONS,
            Durability::Full,
        )
        .await
        .map_err(|error| StartError::new(with_causes(&error)))?;
        let events = Events::open(&city, &sql)
            .await
            .map_err(|error| StartError::new(with_causes(&error)))?
            .publishes::<PaymentCaptured<'_>>()
            .publishes::<PaymentRefunded<'_>>()
            .feed_for(&["notifications"]);
        let store = Store::new(sql, events.outbox());
        let acquirer = city
            .calls
            .outside(&calls::edges::PAYMENTS_ACQUIRER, &settings.acquirer_url);
        let points = Points::new(&city.faults);
        let desk = Arc::new(Desk {
            store: store.clone(),
            bank: Bank::new(acquirer, &points),
            points,
            metrics,
            settings: city.settings.clone(),
            instance_id: city.instance_id.clone(),
            ended: tokio::sync::watch::Sender::new(0),
        });
        Ok(events
            .into_parts(http::router(Arc::clone(&desk)))
            .reaches("store", store, async |store| store.ping().await)
            .task(
                "resolve",
                resolve::run(Arc::clone(&desk), city.stopping.clone()),
            )
            .task("reconcile", reconcile::run(desk, city.stopping)))
    }
}
