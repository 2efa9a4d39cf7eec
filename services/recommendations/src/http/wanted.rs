//! What requests ask for in their query strings.

use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HowMany {
    /// How many products are recommended of each kind at most.
    #[param(minimum = 1)]
    pub(super) limit: Option<usize>,
}
