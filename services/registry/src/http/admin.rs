//! Documents for administrators, who come through the gateway. Keys are not theirs to write.

use app::Problem;
use app::auth::Admin;
use app::extract::{Json, Path};
use axum::extract::State;
use axum::response::Response;
use http::header::HeaderMap;
use serde_json::Value;

use super::Context;
use super::documents::{self, DocumentBody, DocumentsBody, HistoryBody};
use super::error::Error;
use crate::domain::{Name, is_protected};

/// Every document, without values.
#[utoipa::path(
    get,
    path = "/api/admin/documents",
    tag = "admin documents",
    responses(
        (status = 200, body = DocumentsBody),
        (status = 401, description = "no member's token, or one that is refused"),
        (status = 403, description = "`forbidden`: not an administrator"),
    ),
)]
pub(super) async fn list(State(context): State<Context>, _: Admin) -> Json<DocumentsBody> {
    documents::list_all(&context)
}

/// A document.
#[utoipa::path(
    get,
    path = "/api/admin/documents/{name}",
    tag = "admin documents",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = DocumentBody, headers(("ETag" = String, description = "its version"))),
        (status = 400, description = "`invalid_name`"),
        (status = 401, description = "no member's token, or one that is refused"),
        (status = 403, description = "`forbidden`: not an administrator"),
        (status = 404, description = "`unknown_document`"),
    ),
)]
pub(super) async fn read(
    State(context): State<Context>,
    _: Admin,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    documents::read_one(&context, name)
}

/// Writes a document's next version: compare-and-set with `If-Match: "<version>"` or
/// `If-None-Match: *`. Writing what is there already changes nothing.
#[utoipa::path(
    put,
    path = "/api/admin/documents/{name}",
    tag = "admin documents",
    params(("name" = String, Path)),
    request_body(content = Object, description = "the document's value, a JSON object"),
    responses(
        (status = 200, body = DocumentBody, headers(("ETag" = String, description = "its version"))),
        (status = 201, body = DocumentBody, description = "the document is new"),
        (status = 400, description = "`invalid_name`, `invalid_json`, `invalid_precondition`"),
        (status = 401, description = "no member's token, or one that is refused"),
        (status = 403, description = "`forbidden`: not an administrator, or the document is `jwks.*`"),
        (status = 409, description = "`too_many_documents`"),
        (status = 412, description = "`version_conflict`; ETag is the version that is there"),
        (status = 413, description = "`document_too_large`, `body_too_large`"),
        (status = 422, description = "`invalid_document`"),
    ),
)]
pub(super) async fn write(
    State(context): State<Context>,
    Admin(claims): Admin,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(value): Json<Value>,
) -> Result<Response, Problem> {
    let parsed = Name::parse(name.as_str()).map_err(Error::from)?;
    if is_protected(&parsed) {
        return Err(app::auth::forbidden(
            "keys are not an administrator's to write",
        ));
    }
    documents::write_one(context, name, &headers, value, claims.sub.clone()).await
}

/// The kept versions of a document.
#[utoipa::path(
    get,
    path = "/api/admin/documents/{name}/history",
    tag = "admin documents",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = HistoryBody),
        (status = 400, description = "`invalid_name`"),
        (status = 401, description = "no member's token, or one that is refused"),
        (status = 403, description = "`forbidden`: not an administrator"),
        (status = 404, description = "`unknown_document`"),
    ),
)]
pub(super) async fn history(
    State(context): State<Context>,
    _: Admin,
    Path(name): Path<String>,
) -> Result<Json<HistoryBody>, Problem> {
    documents::history_of(&context, name).await
}

/// A document as server-sent events: now, and after every change, as in
/// `GET /v1/documents/{name}/watch`.
#[utoipa::path(
    get,
    path = "/api/admin/documents/{name}/watch",
    tag = "admin documents",
    params(("name" = String, Path)),
    responses(
        (status = 200, content_type = "text/event-stream", body = DocumentBody),
        (status = 400, description = "`invalid_name`"),
        (status = 401, description = "no member's token, or one that is refused"),
        (status = 403, description = "`forbidden`: not an administrator"),
        (status = 503, description = "`too_many_watches`"),
    ),
)]
pub(super) async fn watch(
    State(context): State<Context>,
    _: Admin,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    documents::watch_one(context, name)
}
