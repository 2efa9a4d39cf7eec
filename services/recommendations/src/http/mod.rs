//! Routes and wire types.

mod wanted;

use app::auth::Operator;
use app::extract::{Json, Path, Query};
use app::page::{self, ListQuery, Page};
use app::{Live, Problem, with_causes};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::Settings;
use crate::domain::{Bought, Recommended, Tie};
use crate::metrics::Metrics;
use crate::store::{Store, StoreFailure};

use wanted::HowMany;

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct Desk {
    pub store: Store,
    pub metrics: Metrics,
    pub settings: Live<Settings>,
}

pub(crate) fn router(desk: Desk) -> Router {
    Router::new()
        .route("/api/products/{id}/recommendations", get(recommend))
        .route("/inner/v1/counts", get(counts))
        .with_state(desk)
}

#[derive(OpenApi)]
#[openapi(
    info(description = "What is bought and what is looked at together."),
    paths(recommend, counts)
)]
pub(crate) struct Api;

/// What goes together with a product; the most frequent first.
#[derive(Debug, Serialize, ToSchema)]
struct Recommendations {
    /// What was in the same orders.
    also_bought: Vec<Recommended>,
    /// What was looked at by the same viewers, soon before or after.
    also_viewed: Vec<Recommended>,
}

/// What goes together with a product
///
/// Of a product that nobody has bought or looked at, or that is not sold any more, nothing is
/// known: both lists are empty.
#[utoipa::path(get, path = "/api/products/{id}/recommendations", tag = "recommendations",
    params(("id" = Uuid, Path, description = "Id of the product"), HowMany), responses(
    (status = 200, description = "What goes together with it", body = Recommendations),
    (status = 400, description = "`invalid_path`, `invalid_query`, `invalid_limit`",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
async fn recommend(
    State(desk): State<Desk>,
    Path(id): Path<Uuid>,
    Query(wanted): Query<HowMany>,
) -> Result<Json<Recommendations>, Problem> {
    let settings = desk.settings.load();
    let limit = page::limit(wanted.limit, settings.shown, settings.shown_max)?;
    let best = async |tie| {
        let best = desk.store.best(tie, id, limit).await?;
        desk.metrics.answered(tie, best.len());
        Ok::<_, StoreFailure>(best)
    };
    Ok(Json(Recommendations {
        also_bought: best(Tie::Bought).await?,
        also_viewed: best(Tie::Viewed).await?,
    }))
}

/// Lists in how many confirmed orders each product was, by ascending id.
#[utoipa::path(get, path = "/inner/v1/counts", tag = "ledger", params(ListQuery), responses(
    (status = 200, description = "One page", body = Page<Bought>),
    (status = 400, description = "`invalid_query`, `invalid_limit`, `invalid_cursor`",
        content_type = "application/problem+json"),
    (status = 401, description = "Not the operator token", content_type = "application/problem+json"),
))]
async fn counts(
    _: Operator,
    State(desk): State<Desk>,
    Query(wanted): Query<ListQuery>,
) -> Result<Json<Page<Bought>>, Problem> {
    let settings = desk.settings.load();
    let (after, limit) = wanted.read(settings.page_size, settings.page_size_max)?;
    let counts = desk.store.counts_after(after, page::and_one(limit)).await?;
    Ok(Json(Page::by_id(counts, limit, |count| count.product_id)))
}

impl From<StoreFailure> for Problem {
    fn from(failure: StoreFailure) -> Self {
        match failure {
            StoreFailure::Store(error) if error.is_busy() => {
                tracing::warn!(error = with_causes(&error), "store is busy");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "store_busy",
                    "The store is busy",
                )
                .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
            failure => Self::internal(with_causes(&failure)),
        }
    }
}
