//! The page's files, as the executable carries them.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

/// Nothing but this server's own files runs, and no other site frames the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'self'";

const PAGE: &str = include_str!("../../web/index.html");

/// Path, media type, content.
const FILES: [(&str, &str, &str); 8] = [
    (
        "/assets/app.js",
        "text/javascript",
        include_str!("../../web/app.js"),
    ),
    (
        "/assets/dom.js",
        "text/javascript",
        include_str!("../../web/dom.js"),
    ),
    (
        "/assets/list.js",
        "text/javascript",
        include_str!("../../web/list.js"),
    ),
    (
        "/assets/trace.js",
        "text/javascript",
        include_str!("../../web/trace.js"),
    ),
    (
        "/assets/detail.js",
        "text/javascript",
        include_str!("../../web/detail.js"),
    ),
    (
        "/assets/tree.js",
        "text/javascript",
        include_str!("../../web/tree.js"),
    ),
    (
        "/assets/style.css",
        "text/css",
        include_str!("../../web/style.css"),
    ),
    (
        "/assets/icon.svg",
        "image/svg+xml",
        include_str!("../../web/icon.svg"),
    ),
];

/// The page at `/` and at each trace's own address, and its files.
pub(crate) fn router() -> Router {
    let page = || async { file("text/html; charset=utf-8", PAGE) };
    let router = Router::new()
        .route("/", get(page))
        .route("/trace/{id}", get(page));
    FILES
        .into_iter()
        .fold(router, |router, (path, media_type, content)| {
            router.route(path, get(move || async move { file(media_type, content) }))
        })
}

fn file(media_type: &'static str, content: &'static str) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, media_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // A new version is seen at the next load.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, content)
}
