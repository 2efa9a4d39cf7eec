//! What requests ask for in their query strings.

use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Text to look for, in Korean or English. Without it all products are listed, the newest
    /// first.
    pub(super) query: Option<String>,
    /// Id of a category: only its products.
    pub(super) category: Option<String>,
    /// `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
    /// How many products a page has at most.
    #[param(minimum = 1)]
    pub(super) limit: Option<usize>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PricesQuery {
    /// Ids of at most 100 products, with commas between them.
    #[param(example = "0198c5f2-0000-7000-8000-000000000001,0198c5f2-0000-7000-8000-000000000002")]
    pub(super) ids: String,
}
