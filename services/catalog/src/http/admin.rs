//! What admins may change. A change is in this replica's listings when it is answered; the others
//! learn of it from the outbox.

use app::auth::Admin;
use app::extract::{Json, Path};
use app::{Problem, detached, with_causes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use uuid::Uuid;

use super::Desk;
use super::etag::{self, Condition};
use crate::domain::{Draft, Product};

/// Adds a product.
#[utoipa::path(post, path = "/api/admin/products", tag = "admin", request_body = Draft, responses(
    (status = 201, description = "Added", body = Product,
        headers(("location" = String), ("etag" = String))),
    (status = 400, description = "`invalid_json`", content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: not an admin", content_type = "application/problem+json"),
    (status = 422, description = "`invalid_product`, `unknown_category`, `invalid_fields`",
        content_type = "application/problem+json"),
))]
pub(super) async fn create(
    _: Admin,
    State(desk): State<Desk>,
    Json(draft): Json<Draft>,
) -> Result<Response, Problem> {
    let draft = draft.checked()?;
    let product = detached(async move {
        let product = desk.store.create(draft).await?;
        show_now(&desk).await;
        Ok::<_, Problem>(product)
    })
    .await?;
    let location = HeaderValue::from_str(&format!("/api/products/{}", product.id));
    let location = location.map_err(Problem::internal)?;
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        tagged(product),
    )
        .into_response())
}

/// Replaces a product.
#[utoipa::path(put, path = "/api/admin/products/{id}", tag = "admin", request_body = Draft,
    params(("id" = Uuid, Path, description = "Id of the product"),
        ("if-match" = String, Header, description = "`ETag` of the version that was edited, or `*`")),
    responses(
    (status = 200, description = "Replaced", body = Product, headers(("etag" = String))),
    (status = 400, description = "`invalid_path`, `invalid_json`, `invalid_if_match`",
        content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: not an admin", content_type = "application/problem+json"),
    (status = 404, description = "`unknown_product`", content_type = "application/problem+json"),
    (status = 412, description = "`version_conflict`: someone else edited it",
        content_type = "application/problem+json"),
    (status = 422, description = "`invalid_product`, `unknown_category`, `invalid_fields`",
        content_type = "application/problem+json"),
    (status = 428, description = "`if_match_required`", content_type = "application/problem+json"),
))]
pub(super) async fn replace(
    _: Admin,
    State(desk): State<Desk>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Json(draft): Json<Draft>,
) -> Result<Response, Problem> {
    let expected = match etag::if_match(&headers)? {
        Condition::Version(version) => Some(version),
        Condition::Any => None,
        Condition::Missing => return Err(if_match_required()),
    };
    let draft = draft.checked()?;
    let product = detached(async move {
        let product = desk.store.replace(id, expected, draft).await?;
        show_now(&desk).await;
        Ok::<_, Problem>(product)
    })
    .await?;
    Ok(tagged(product).into_response())
}

/// Takes a product out of the shop.
#[utoipa::path(delete, path = "/api/admin/products/{id}", tag = "admin",
    params(("id" = Uuid, Path, description = "Id of the product"),
        ("if-match" = Option<String>, Header, description = "`ETag` of the version that is meant")),
    responses(
    (status = 204, description = "Taken out"),
    (status = 400, description = "`invalid_path`, `invalid_if_match`",
        content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`: not an admin", content_type = "application/problem+json"),
    (status = 404, description = "`unknown_product`", content_type = "application/problem+json"),
    (status = 412, description = "`version_conflict`: someone else edited it",
        content_type = "application/problem+json"),
))]
pub(super) async fn delete(
    _: Admin,
    State(desk): State<Desk>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let expected = match etag::if_match(&headers)? {
        Condition::Version(version) => Some(version),
        Condition::Any | Condition::Missing => None,
    };
    detached(async move {
        desk.store.delete(id, expected).await?;
        show_now(&desk).await;
        Ok::<_, Problem>(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The change is made, so an index that lags is no reason to tell the admin that it was not.
async fn show_now(desk: &Desk) {
    if let Err(error) = desk.follower.catch_up().await {
        tracing::warn!(error = with_causes(&error), "search index lags");
    }
}

fn tagged(product: Product) -> ([(header::HeaderName, HeaderValue); 1], Json<Product>) {
    ([(header::ETAG, etag::of(product.edition()))], Json(product))
}

fn if_match_required() -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_REQUIRED,
        "if_match_required",
        "If-Match is missing",
    )
    .detail("send the `ETag` of the version that you edited")
}
