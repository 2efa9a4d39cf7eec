//! Documents for services and the operator; the administrators' routes share the work.

use std::sync::Arc;

use app::Problem;
use app::extract::{Json, Path};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Context;
use super::caller::Reader;
use super::error::Error;
use super::watches;
use crate::documents::WriteError;
use crate::domain::{Document, Expect, MEMBER_KEYS, Name};
use crate::store::PutError;

/// A configuration document at one of its versions.
#[derive(Serialize, ToSchema)]
#[schema(as = Document)]
pub(crate) struct DocumentBody {
    #[schema(example = "catalog")]
    name: String,
    /// 1 for the first, one more with every change.
    version: u64,
    /// When this version was written: RFC 3339, UTC.
    #[schema(example = "2026-11-21T09:30:00.000000Z")]
    updated_at: String,
    /// Who wrote this version: `operator`, a service's name, or a member's id.
    #[schema(example = "operator")]
    updated_by: String,
    #[schema(value_type = Object)]
    value: Value,
}

impl From<&Document> for DocumentBody {
    fn from(document: &Document) -> Self {
        Self {
            name: document.name.to_string(),
            version: document.version,
            updated_at: document.updated_at.to_string(),
            updated_by: document.updated_by.clone(),
            value: document.value.clone(),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DocumentsBody {
    documents: Vec<SummaryBody>,
}

/// A document without its value.
#[derive(Serialize, ToSchema)]
#[schema(as = DocumentSummary)]
pub(crate) struct SummaryBody {
    name: String,
    version: u64,
    updated_at: String,
    updated_by: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct HistoryBody {
    /// Newest first; the oldest are forgotten.
    versions: Vec<DocumentBody>,
}

/// Every document, without values.
#[utoipa::path(
    get,
    path = "/v1/documents",
    tag = "documents",
    responses(
        (status = 200, body = DocumentsBody),
        (status = 401, description = "neither a service nor the operator"),
    ),
)]
pub(super) async fn list(State(context): State<Context>, _: Reader) -> Json<DocumentsBody> {
    list_all(&context)
}

/// A document.
#[utoipa::path(
    get,
    path = "/v1/documents/{name}",
    tag = "documents",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = DocumentBody, headers(("ETag" = String, description = "its version"))),
        (status = 400, description = "`invalid_name`"),
        (status = 401, description = "neither a service nor the operator"),
        (status = 404, description = "`unknown_document`"),
    ),
)]
pub(super) async fn read(
    State(context): State<Context>,
    _: Reader,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    read_one(&context, name)
}

/// Writes a document's next version: compare-and-set with `If-Match: "<version>"` or
/// `If-None-Match: *`. The operator may write every document, `users` may write `jwks.members`.
/// Writing what is there already changes nothing.
#[utoipa::path(
    put,
    path = "/v1/documents/{name}",
    tag = "documents",
    params(("name" = String, Path)),
    request_body(content = Object, description = "the document's value, a JSON object"),
    responses(
        (status = 200, body = DocumentBody, headers(("ETag" = String, description = "its version"))),
        (status = 201, body = DocumentBody, description = "the document is new"),
        (status = 400, description = "`invalid_name`, `invalid_json`, `invalid_precondition`"),
        (status = 401, description = "neither a service nor the operator"),
        (status = 403, description = "`forbidden`: not this document's writer"),
        (status = 409, description = "`too_many_documents`"),
        (status = 412, description = "`version_conflict`; ETag is the version that is there"),
        (status = 413, description = "`document_too_large`, `body_too_large`"),
        (status = 422, description = "`invalid_document`"),
    ),
)]
pub(super) async fn write(
    State(context): State<Context>,
    caller: Reader,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(value): Json<Value>,
) -> Result<Response, Problem> {
    let author = match caller {
        Reader::Operator => "operator".to_owned(),
        Reader::Service(service) if service == "users" && name == MEMBER_KEYS => service,
        Reader::Service(_) => {
            return Err(app::auth::forbidden(
                "this document is the operator's to write",
            ));
        }
    };
    write_one(context, name, &headers, value, author).await
}

/// The kept versions of a document.
#[utoipa::path(
    get,
    path = "/v1/documents/{name}/history",
    tag = "documents",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = HistoryBody),
        (status = 400, description = "`invalid_name`"),
        (status = 401, description = "neither a service nor the operator"),
        (status = 404, description = "`unknown_document`"),
    ),
)]
pub(super) async fn history(
    State(context): State<Context>,
    _: Reader,
    Path(name): Path<String>,
) -> Result<Json<HistoryBody>, Problem> {
    history_of(&context, name).await
}

/// A document as server-sent events: now, and after every change. Each event is named `document`,
/// its `id` is the version, and its data is the document, or `null` while there is none.
#[utoipa::path(
    get,
    path = "/v1/documents/{name}/watch",
    tag = "documents",
    params(("name" = String, Path)),
    responses(
        (status = 200, content_type = "text/event-stream", body = DocumentBody),
        (status = 400, description = "`invalid_name`"),
        (status = 401, description = "neither a service nor the operator"),
        (status = 503, description = "`too_many_watches`"),
    ),
)]
pub(super) async fn watch(
    State(context): State<Context>,
    _: Reader,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    watch_one(context, name)
}

pub(super) fn list_all(context: &Context) -> Json<DocumentsBody> {
    let summary = |document: Arc<Document>| SummaryBody {
        name: document.name.to_string(),
        version: document.version,
        updated_at: document.updated_at.to_string(),
        updated_by: document.updated_by.clone(),
    };
    let documents = context.documents.list().into_iter().map(summary).collect();
    Json(DocumentsBody { documents })
}

pub(super) fn read_one(context: &Context, name: String) -> Result<Response, Problem> {
    let name = Name::parse(name).map_err(Error::from)?;
    let document = context.documents.get(&name).ok_or(Error::UnknownDocument)?;
    Ok(answer(StatusCode::OK, &document))
}

pub(super) async fn write_one(
    context: Context,
    name: String,
    headers: &HeaderMap,
    value: Value,
    author: String,
) -> Result<Response, Problem> {
    let name = Name::parse(name).map_err(Error::from)?;
    let expect = expectation(headers)?;
    let written = app::detached(async move {
        let documents = context.documents;
        match documents.put(name.clone(), value, expect, author).await {
            Err(WriteError::Put(PutError::Conflict)) => {
                let current = documents.get(&name).map(|document| document.version);
                Err(Error::VersionConflict { current })
            }
            outcome => outcome.map_err(Error::from),
        }
    })
    .await?;
    let status = if written.is_first {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(answer(status, &written.document))
}

pub(super) async fn history_of(
    context: &Context,
    name: String,
) -> Result<Json<HistoryBody>, Problem> {
    let name = Name::parse(name).map_err(Error::from)?;
    let versions = context
        .documents
        .history(&name)
        .await
        .map_err(Error::from)?;
    if versions.is_empty() {
        return Err(Error::UnknownDocument.into());
    }
    Ok(Json(HistoryBody {
        versions: versions.iter().map(DocumentBody::from).collect(),
    }))
}

pub(super) fn watch_one(context: Context, name: String) -> Result<Response, Problem> {
    let name = Name::parse(name).map_err(Error::from)?;
    let admitted = context.watchers.admit()?;
    let documents = context.documents;
    let bell = documents.changes();
    let mut sent = None;
    let look = move || {
        let document = documents.get(&name);
        let version = document.as_ref().map_or(0, |document| document.version);
        let is_news = sent.replace(version) != Some(version);
        is_news.then(|| {
            watches::event("document", &document.as_deref().map(DocumentBody::from))
                .id(version.to_string())
        })
    };
    Ok(watches::stream(admitted, context.stopping, bell, look))
}

/// A document's version as entity tag (RFC 9110, 8.8.3).
pub(super) fn etag(version: u64) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("\"{version}\"")).ok()
}

fn answer(status: StatusCode, document: &Document) -> Response {
    let mut response = (status, Json(DocumentBody::from(document))).into_response();
    if let Some(tag) = etag(document.version) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// The two preconditions of RFC 9110, 13.1 that make sense here; other forms are refused, because
/// a writer whose condition is not understood must not write.
fn expectation(headers: &HeaderMap) -> Result<Expect, Error> {
    let one = |name| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value
                .to_str()
                .map(|value| Some(value.trim()))
                .map_err(|_| Error::InvalidPrecondition),
            (Some(_), Some(_)) => Err(Error::InvalidPrecondition),
        }
    };
    match (one(IF_MATCH)?, one(IF_NONE_MATCH)?) {
        (None, None) => Ok(Expect::Any),
        (None, Some("*")) => Ok(Expect::Absent),
        (Some(tag), None) => tag
            .strip_prefix('"')
            .and_then(|tag| tag.strip_suffix('"'))
            .filter(|version| version.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|version| version.parse().ok())
            .map(Expect::Version)
            .ok_or(Error::InvalidPrecondition),
        _ => Err(Error::InvalidPrecondition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preconditions() {
        let table: [(&[(&str, &str)], _); 12] = [
            (&[], Some(Expect::Any)),
            (&[("if-none-match", "*")], Some(Expect::Absent)),
            (&[("if-match", "\"7\"")], Some(Expect::Version(7))),
            (&[("if-match", "7")], None),
            (&[("if-match", "*")], None),
            (&[("if-match", "\"+7\"")], None),
            (&[("if-match", "W/\"7\"")], None),
            (&[("if-match", "\"7\", \"8\"")], None),
            (&[("if-match", "\"7\""), ("if-match", "\"8\"")], None),
            (&[("if-match", "\"7\""), ("if-none-match", "*")], None),
            (&[("if-match", "\"99999999999999999999\"")], None),
            (&[("if-none-match", "\"7\"")], None),
        ];
        for (sent, expected) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in sent {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(expectation(&headers).ok(), expected, "{sent:?}");
        }
    }
}
