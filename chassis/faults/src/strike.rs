//! A fault that strikes.

use std::sync::Arc;
use std::time::Duration;

use telemetry::AttributeValue;
use tokio::time::timeout;

use crate::armed::Armed;
use crate::fault::{Action, Injected};
use crate::point::Place;
use crate::process;

/// The event of the current span. It is for whoever checks a drill: nothing that names a culprit
/// may read it.
const EVENT: &str = "citywatch.fault.injected";

pub(crate) async fn strike(place: Arc<Place>, armed: Arc<Armed>) -> Result<(), Injected> {
    let action = armed.fault.action;
    telemetry::context::add_event(
        EVENT,
        [
            ("citywatch.fault.point", AttributeValue::from(place.name())),
            (
                "citywatch.fault.action",
                AttributeValue::from(action.name()),
            ),
        ],
    );
    match action {
        Action::Kill => process::kill_self().await,
        Action::Stop => {
            if let Some(at_most) = armed.remaining() {
                process::stop_self(at_most);
            }
        }
        Action::Latency { delay, jitter } => {
            // Who is disarmed keeps nobody waiting.
            let _ = timeout(drawn(delay, jitter), armed.over()).await;
        }
        Action::Error(injected) => return Err(injected),
        Action::Hang => {
            armed.over().await;
            return Err(Injected::Reset);
        }
    }
    Ok(())
}

/// From `delay - jitter` to `delay + jitter`.
fn drawn(delay: Duration, jitter: Duration) -> Duration {
    let least = delay.saturating_sub(jitter);
    least + jitter.mul_f64(2.0 * rand::random::<f64>())
}
