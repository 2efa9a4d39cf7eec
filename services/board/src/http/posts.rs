use std::collections::HashMap;

use app::auth::Member;
use app::extract::{Json, Path, Query};
use app::page::{ListQuery, Page, and_one};
use app::{Problem, Timestamp, detached};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Desk;
use crate::domain::{Body, Post, Title};
use crate::store::StoreFailure;

/// What a member wants to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    /// On one line.
    #[schema(example = "Which mug for a cortado?", min_length = 1, max_length = 120)]
    title: String,
    /// Plain text.
    #[schema(min_length = 1, max_length = 10_000)]
    body: String,
}

/// A post, as everybody reads it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Published {
    /// UUIDv7.
    id: Uuid,
    title: String,
    body: String,
    author: Author,
    /// RFC 3339, UTC.
    #[schema(value_type = String, format = "date-time", example = "2026-11-22T09:00:00.123456Z")]
    created_at: Timestamp,
}

/// Whoever wrote a post.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Author {
    id: String,
    /// Null when users cannot be asked, or knows them no more.
    #[schema(example = "Mina Kim")]
    name: Option<String>,
}

impl Published {
    fn new(post: Post, names: &HashMap<String, String>) -> Self {
        Self {
            id: post.id,
            title: post.title.as_str().to_owned(),
            body: post.body.as_str().to_owned(),
            author: Author {
                name: names.get(&post.user_id).cloned(),
                id: post.user_id,
            },
            created_at: post.created_at,
        }
    }
}

impl Desk {
    async fn published(&self, post: Post) -> Published {
        let names = self.names.of([post.user_id.as_str()].into_iter()).await;
        Published::new(post, &names)
    }
}

/// The posts, newest first.
#[utoipa::path(get, path = "/api/posts", tag = "posts", params(ListQuery), responses(
    (status = 200, description = "One page", body = Page<Published>),
    (status = 400, description = "`invalid_query`, `invalid_limit`, `invalid_cursor`",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(desk): State<Desk>,
    Query(wanted): Query<ListQuery>,
) -> Result<Json<Page<Published>>, Problem> {
    let settings = desk.settings.load();
    let (before, limit) = wanted.read(settings.page_size, settings.page_size_max)?;
    let posts = desk.store.page(before, and_one(limit)).await?;
    let page = Page::by_id(posts, limit, |post| post.id);
    let authors = page.items.iter().map(|post| post.user_id.as_str());
    let names = desk.names.of(authors).await;
    Ok(Json(page.map(|post| Published::new(post, &names))))
}

/// One post.
#[utoipa::path(get, path = "/api/posts/{id}", tag = "posts",
    params(("id" = Uuid, Path, description = "Id of the post")), responses(
    (status = 200, description = "The post", body = Published),
    (status = 400, description = "`invalid_path`", content_type = "application/problem+json"),
    (status = 404, description = "`unknown_post`", content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn show(
    State(desk): State<Desk>,
    Path(id): Path<Uuid>,
) -> Result<Json<Published>, Problem> {
    let post = desk.store.find(id).await?;
    Ok(Json(desk.published(post).await))
}

/// Writes a post.
#[utoipa::path(post, path = "/api/posts", tag = "posts", request_body = Draft, responses(
    (status = 201, description = "The post", body = Published, headers(("location" = String))),
    (status = 400, description = "`invalid_json`", content_type = "application/problem+json"),
    (status = 401, description = "No valid member token", content_type = "application/problem+json"),
    (status = 413, description = "`body_too_large`", content_type = "application/problem+json"),
    (status = 422, description = "`invalid_title`, `invalid_body`, `invalid_fields`",
        content_type = "application/problem+json"),
    (status = 503, description = "`store_busy`", content_type = "application/problem+json"),
))]
pub(super) async fn write(
    Member(member): Member,
    State(desk): State<Desk>,
    Json(draft): Json<Draft>,
) -> Result<impl IntoResponse, Problem> {
    let post = Post {
        id: Uuid::now_v7(),
        user_id: member.sub.clone(),
        title: Title::parse(&draft.title)?,
        body: Body::parse(&draft.body)?,
        created_at: Timestamp::now(),
    };
    let writing = desk.clone();
    let post = detached(async move {
        writing.store.add(&post).await?;
        writing.metrics.posted();
        Ok::<_, StoreFailure>(post)
    })
    .await?;
    let location = format!("/api/posts/{}", post.id);
    let published = desk.published(post).await;
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        Json(published),
    ))
}
