//! What anyone may read.

use app::Problem;
use app::auth::Member;
use app::extract::{Json, Path, Query};
use app::page::{self, Page};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::problems::bad_request;
use super::wanted::ListQuery;
use super::{Desk, etag};
use crate::domain::{Category, Product};
use crate::metrics::Outcome;
use crate::search::{Found, Place, Search};

const CURSOR_VERSION: u8 = 1;

/// A category and how much it holds.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CategoryView {
    #[serde(flatten)]
    category: Category,
    /// How many products it has.
    products: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Categories {
    items: Vec<CategoryView>,
}

/// Finds products, the best match first, or lists them.
#[utoipa::path(get, path = "/api/products", tag = "products", params(ListQuery), responses(
    (status = 200, description = "One page", body = Page<Product>),
    (status = 400, description = "`invalid_query`, `invalid_limit`, `invalid_cursor`, `query_too_long`",
        content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(desk): State<Desk>,
    Query(wanted): Query<ListQuery>,
) -> Result<Json<Page<Product>>, Problem> {
    let query = wanted
        .query
        .as_deref()
        .map(str::trim)
        .filter(|query| !query.is_empty());
    let found = find(&desk, &wanted, query);
    if query.is_some() {
        desk.metrics.searched(match &found {
            Ok(page) if page.items.is_empty() => Outcome::Empty,
            Ok(_) => Outcome::Found,
            Err(problem) if problem.status().is_client_error() => Outcome::Refused,
            Err(_) => Outcome::Failed,
        });
    }
    found.map(Json)
}

#[tracing::instrument(name = "search index", skip_all, fields(category = wanted.category))]
fn find(desk: &Desk, wanted: &ListQuery, query: Option<&str>) -> Result<Page<Product>, Problem> {
    let settings = desk.settings.load();
    let limit = page::limit(wanted.limit, settings.page_size, settings.page_size_max)?;
    if query.is_some_and(|query| query.chars().count() > settings.query_max_chars) {
        let most = settings.query_max_chars;
        return Err(bad_request("query_too_long", "The query is too long")
            .detail(format!("`query` may have at most {most} characters")));
    }
    let category = wanted
        .category
        .as_deref()
        .filter(|category| !category.is_empty());
    let question = fingerprint(query, category);
    let after = wanted
        .cursor
        .as_deref()
        .map(|cursor| read_cursor(cursor, question));
    let Found { items, next } = desk.follower.index().search(&Search {
        query,
        category,
        after: after.transpose()?,
        limit,
    })?;
    Ok(Page {
        items,
        next_cursor: next.map(|place| page::cursor(CURSOR_VERSION, &(question, place))),
    })
}

/// A cursor is a place in the answers to one question, and means nothing in another's.
fn read_cursor(cursor: &str, question: u64) -> Result<Place, Problem> {
    let (asked, place): (u64, Place) = page::position(CURSOR_VERSION, cursor)?;
    if asked == question {
        return Ok(place);
    }
    Err(bad_request("invalid_cursor", "Invalid cursor")
        .detail("the cursor belongs to another `query` or `category`"))
}

/// FNV-1a, <https://datatracker.ietf.org/doc/html/draft-eastlake-fnv>: the same in every replica
/// and version.
fn fingerprint(query: Option<&str>, category: Option<&str>) -> u64 {
    let parts = [query, category].map(Option::unwrap_or_default);
    let bytes = parts
        .into_iter()
        .flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// One product
///
/// A member who shows a token is known to have looked at it, and others are recommended what
/// members look at together.
#[utoipa::path(get, path = "/api/products/{id}", tag = "products",
    params(("id" = Uuid, Path, description = "Id of the product"),
        ("if-none-match" = Option<String>, Header, description = "`ETag` of what is known already")),
    responses(
    (status = 200, description = "The product", body = Product,
        headers(("etag" = String, description = "For `If-Match` and `If-None-Match`; another after each edit, and when it is sold out or in stock again"))),
    (status = 304, description = "It is as it was under the `ETag` of `If-None-Match`"),
    (status = 400, description = "`invalid_path`", content_type = "application/problem+json"),
    (status = 404, description = "`unknown_product`", content_type = "application/problem+json"),
))]
pub(super) async fn show(
    State(desk): State<Desk>,
    member: Result<Member, Problem>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let product = desk.store.product(id).await?;
    // Without a valid token it is nobody in particular who looks.
    if let Ok(Member(claims)) = member {
        desk.views.saw(id, &claims.sub);
    }
    let tag = [(header::ETAG, etag::of(product.edition()))];
    if !etag::none_match(&headers, product.edition()) {
        return Ok((StatusCode::NOT_MODIFIED, tag).into_response());
    }
    Ok((tag, Json(product)).into_response())
}

/// The shelves of the shop.
#[utoipa::path(get, path = "/api/categories", tag = "products", responses(
    (status = 200, description = "All of them", body = Categories),
))]
pub(super) async fn categories(State(desk): State<Desk>) -> Result<Json<Categories>, Problem> {
    let index = desk.follower.index();
    let items = desk.store.categories().await?.into_iter().map(|category| {
        let products = index.count(&category.id)?;
        Ok(CategoryView { category, products })
    });
    Ok(Json(Categories {
        items: items.collect::<Result<_, Problem>>()?,
    }))
}
