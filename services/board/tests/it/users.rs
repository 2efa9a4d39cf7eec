//! The users service, as small as it can be and strict about the contract.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Json;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use identity::{KeySet, Verifier};
use serde_json::json;
use testing::Town;
use tokio::net::TcpListener;

/// What happens to whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// A problem with this status.
    Fails(u16),
    /// No answer.
    Hangs,
    /// An answer in another form.
    Babbles,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) names: BTreeMap<String, &'static str>,
    /// The ids that were asked for, by call.
    pub(crate) asked: Vec<Vec<String>>,
    pub(crate) mood: Option<Mood>,
}

#[derive(Clone)]
pub(crate) struct Users {
    pub(crate) address: SocketAddr,
    world: Arc<Mutex<World>>,
    services: Verifier,
}

impl Users {
    pub(crate) async fn start(town: &Town) -> Self {
        let keys = KeySet::new();
        keys.replace(serde_json::from_value(town.service_jwks()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let users = Self {
            address: listener.local_addr().unwrap(),
            world: Arc::default(),
            services: Verifier::services(keys, "users"),
        };
        let router = Router::new()
            .route("/inner/v1/names", get(names))
            .with_state(users.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        users
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(crate) fn know(&self, id: &str, name: &'static str) {
        self.world().names.insert(id.to_owned(), name);
    }

    pub(crate) fn is(&self, mood: Option<Mood>) {
        self.world().mood = mood;
    }

    fn admits(&self, headers: &HeaderMap) -> bool {
        let token = headers.get("authorization").and_then(|v| v.to_str().ok());
        let token = token.and_then(|v| v.strip_prefix("Bearer "));
        let is_board = |token| {
            let claims = self.services.verify(token);
            claims.is_ok_and(|claims| claims.iss == "board")
        };
        token.is_some_and(is_board)
    }
}

async fn names(
    State(users): State<Users>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    assert!(users.admits(&headers), "board says who it is");
    let ids: Vec<_> = query["ids"].split(',').map(str::to_owned).collect();
    assert!(
        ids.len() <= 100 && !ids.iter().any(String::is_empty),
        "{ids:?}"
    );
    let mood = {
        let mut world = users.world();
        world.asked.push(ids.clone());
        world.mood
    };
    match mood {
        Some(Mood::Hangs) => std::future::pending().await,
        Some(Mood::Fails(status)) => {
            let problem = json!({ "status": status, "code": "busy", "title": "Too busy" });
            let kind = [("content-type", "application/problem+json")];
            (StatusCode::from_u16(status).unwrap(), kind, Json(problem)).into_response()
        }
        Some(Mood::Babbles) => Json(json!({ "names": ids })).into_response(),
        None => {
            let world = users.world();
            let known = ids.iter().filter_map(|id| Some((id, world.names.get(id)?)));
            let items: Vec<_> = known
                .map(|(id, name)| json!({ "id": id, "name": name }))
                .collect();
            Json(json!({ "items": items })).into_response()
        }
    }
}
