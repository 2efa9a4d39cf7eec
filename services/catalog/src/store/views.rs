//! Looks at products: no rows of their own, events alone.

use telemetry::Telemetry;

use super::{Store, StoreFailure};
use crate::views::View;

impl Store {
    /// Publishes all of them or none; each in the trace of its request.
    pub(crate) async fn publish_views(
        &self,
        views: &[View],
        telemetry: &Telemetry,
    ) -> Result<(), StoreFailure> {
        let mut tx = self.sql.begin_write().await?;
        for View { seen, request } in views {
            let flush = telemetry.span("flush view").parent(request).start();
            let publish = self.outbox.publish(&mut tx, &seen.viewer, seen);
            flush.in_scope(publish).await?;
        }
        super::edits::commit(tx, &self.points.views).await
    }
}
