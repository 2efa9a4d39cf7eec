//! The routes, and what goes over the wire.

mod inner;
mod jwks;
mod members;
mod sessions;

use std::sync::Arc;

use app::Live;
use axum::Router;
use axum::routing::{get, post};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::Settings;
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::passwords::Passwords;
use crate::store::Store;

/// What the handlers work with.
#[derive(Clone)]
pub(crate) struct Users {
    pub(crate) store: Store,
    pub(crate) keys: Arc<Keys>,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) settings: Live<Settings>,
    pub(crate) metrics: Metrics,
}

pub(crate) fn router(users: Users) -> Router {
    Router::new()
        .route("/api/users", post(members::sign_up))
        .route("/api/users/me", get(members::me))
        .route(
            "/api/sessions",
            post(sessions::log_in).delete(sessions::log_out),
        )
        .route("/api/sessions/refresh", post(sessions::refresh))
        .route("/.well-known/jwks.json", get(jwks::jwks))
        .route("/inner/v1/names", get(inner::names))
        .with_state(users)
}

/// The public interface as OpenAPI.
#[derive(OpenApi)]
#[openapi(
    info(description = "Members: sign-up, log-in, sessions, and the keys that sign tokens."),
    paths(
        members::sign_up,
        members::me,
        sessions::log_in,
        sessions::refresh,
        sessions::log_out,
        jwks::jwks,
        inner::names
    ),
    modifiers(&MemberToken)
)]
pub(crate) struct Api;

struct MemberToken;

impl Modify for MemberToken {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some("An access token, from `POST /api/sessions`."))
            .build();
        let components = api.components.get_or_insert_default();
        components.add_security_scheme("member_token", SecurityScheme::Http(bearer));
    }
}
