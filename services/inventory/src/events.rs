//! What this service tells the others.

use events::Body;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Another number of a product's units can be promised from now on.
#[derive(Serialize, ToSchema)]
pub(crate) struct StockChanged {
    pub(crate) product_id: Uuid,
    /// Units that can still be promised.
    #[schema(minimum = 0)]
    pub(crate) on_hand: i64,
}

impl Body for StockChanged {
    const TYPE: &'static str = "inventory.StockChanged.v1";
}

#[cfg(test)]
mod tests {
    use events::schema::promised;

    use super::StockChanged;

    #[test]
    fn what_is_published_is_what_was_promised() {
        promised::<StockChanged>(env!("CARGO_MANIFEST_DIR")).unwrap();
    }
}
