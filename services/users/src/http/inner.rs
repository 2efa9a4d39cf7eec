use app::Problem;
use app::auth::ServiceCaller;
use app::extract::{Json, Query};
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Users;
use crate::domain::{MemberId, Name};

const CALLERS: [&str; 1] = ["board"];

/// As many as a page of anything has.
const IDS_MAX: usize = 100;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Ids of at most 100 members, with commas between them.
    #[param(example = "0198c5f2-0000-7000-8000-000000000001,0198c5f2-0000-7000-8000-000000000002")]
    ids: String,
}

/// What a member is called by.
#[derive(Serialize, ToSchema)]
pub(crate) struct Named {
    /// UUIDv7.
    #[schema(format = "uuid")]
    id: String,
    #[schema(example = "Mina Kim")]
    name: String,
}

impl From<(MemberId, Name)> for Named {
    fn from((id, name): (MemberId, Name)) -> Self {
        Self {
            id: id.to_string(),
            name: name.as_str().to_owned(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Names {
    items: Vec<Named>,
}

/// What members are called
///
/// Members who are unknown are left out, and so is what cannot be a member's id.
#[utoipa::path(
    get,
    path = "/inner/v1/names",
    tag = "inner",
    responses(
        (status = 200, description = "Those that are known, in the order of their ids.", body = Names),
        (status = 400, description = "`invalid_query`, `too_many_ids`.",
         body = ref("#/components/schemas/Problem")),
        (status = 401, description = "No valid service token.",
         body = ref("#/components/schemas/Problem")),
        (status = 403, description = "`forbidden`: the caller is not board.",
         body = ref("#/components/schemas/Problem")),
        (status = 503, description = "`busy`: the store is; see `Retry-After`.",
         body = ref("#/components/schemas/Problem")),
    )
)]
pub(crate) async fn names(
    State(users): State<Users>,
    caller: ServiceCaller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Names>, Problem> {
    caller.one_of(&CALLERS)?;
    let ids: Vec<_> = wanted.ids.split(',').filter(|id| !id.is_empty()).collect();
    if ids.len() > IDS_MAX {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "too_many_ids", "Too many ids");
        return Err(problem.detail(format!("`ids` may hold at most {IDS_MAX}")));
    }
    let ids: Vec<_> = ids.into_iter().filter_map(MemberId::parse).collect();
    let names = users.store.names(&ids).await?;
    let items = names.into_iter().map(Named::from).collect();
    Ok(Json(Names { items }))
}
