//! The smallest service that uses everything that the chassis gives to one.

use app::{
    City, Parts, Problem, Service, StartError,
    auth::{Admin, Member, Operator, ServiceCaller},
    extract::{Json, Path, Query},
    settings::Live,
};
use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::Instrument;
use utoipa::OpenApi;

use crate::{gate::Gate, relay};

app::settings! {
    /// What a test can tell it.
    pub(crate) struct Settings validated by polite {
        /// `stuck`, `failing`, `panicking` or fine.
        boot start: String = String::new(),
        /// `ending`, `panicking` or as it should be.
        boot chore: String = String::new(),
        /// `failing`, `hanging` or passing.
        boot check: String = String::new(),
        /// What it says.
        live greeting: String = "hello".into(),
        /// How often.
        live times: u32 = 1,
    }
}

fn polite(settings: &Settings) -> Result<(), String> {
    if settings.greeting.is_empty() && settings.times > 0 {
        return Err("`greeting` must not be empty".to_owned());
    }
    Ok(())
}

pub(crate) struct Example;

#[derive(OpenApi)]
#[openapi(paths(greeting))]
struct Api;

impl Service for Example {
    const NAME: &'static str = "example";
    const VERSION: &'static str = "1.2.3";
    type Settings = Settings;

    fn openapi() -> utoipa::openapi::OpenApi {
        Api::openapi()
    }

    async fn start(city: City<Settings>) -> Result<Parts, StartError> {
        let settings = city.settings.load();
        match settings.start.as_str() {
            "stuck" => std::future::pending().await,
            "panicking" => panic!("the key broke off"),
            "failing" => return Err(StartError::new("the store is closed on Sundays")),
            _ => {}
        }
        let (chore, stopping) = (settings.chore.clone(), city.stopping.clone());
        let check = settings.check.clone();
        let catalog = city.discovery.watch("catalog");
        let router = Router::new()
            .route("/greeting", get(greeting))
            .route("/panic", get(async || -> String { panic!("a shelf fell") }))
            .route("/nested", get(nested))
            .route("/wait/{gate}", get(wait))
            .route("/detached/{gate}", post(detached))
            .route("/detached-panic", post(detached_panic))
            .route("/items", get(list).post(add))
            .route("/items/{id}", get(item))
            .route("/budgets", get(relay::budgets))
            .route("/relay/{pause_ms}", get(relay::relay))
            .layer(axum::Extension(city.calls))
            .route("/member", get(async |Member(who)| who.sub.clone()))
            .route("/admin", get(async |Admin(who)| who.sub.clone()))
            .route("/service", get(async |ServiceCaller(who)| who.iss.clone()))
            .route("/operator", get(async |_: Operator| "operator"))
            .route(
                "/catalogs",
                get(async move || axum::Json(catalog.load().to_vec())),
            )
            .with_state(city.settings);
        Ok(Parts::router(router)
            .task("chore", async move {
                match chore.as_str() {
                    "ending" => {}
                    "panicking" => panic!("the broom broke"),
                    _ => stopping.cancelled().await,
                }
            })
            .ready("fine", async || Ok(()))
            .ready("check", move || {
                let check = check.clone();
                async move {
                    match check.as_str() {
                        "failing" => Err("the shop is closed".to_owned()),
                        "hanging" => std::future::pending().await,
                        _ => Ok(()),
                    }
                }
            })
            .ready("hung up too", {
                let check = settings.check.clone();
                move || {
                    let hangs = check == "hanging";
                    async move {
                        if hangs {
                            std::future::pending::<()>().await;
                        }
                        Ok(())
                    }
                }
            }))
    }
}

#[utoipa::path(get, path = "/greeting", responses((status = 200, body = str)))]
async fn greeting(State(settings): State<Live<Settings>>) -> String {
    let settings = settings.load();
    settings.greeting.repeat(settings.times as usize)
}

async fn nested() -> &'static str {
    async {
        app::detached(async {
            tracing::info_span!("write").in_scope(|| ());
            Ok::<_, Problem>(())
        })
        .await
    }
    .instrument(tracing::info_span!("think"))
    .await
    .map_or("failed", |()| "done")
}

async fn wait(Path(gate): Path<String>) -> &'static str {
    let gate = Gate::named(&gate);
    let _guard = gate.clone().guard();
    gate.pass().await;
    "done"
}

async fn detached(Path(gate): Path<String>) -> Result<&'static str, Problem> {
    let gate = Gate::named(&gate);
    let _guard = gate.clone().guard();
    app::detached(async move {
        gate.pass().await;
        Ok::<_, Problem>("done")
    })
    .await
}

async fn detached_panic() -> Result<(), Problem> {
    app::detached(async { panic!("a pen ran dry") as Result<(), Problem> }).await
}

#[derive(Deserialize)]
struct Page {
    limit: u8,
}

async fn list(Query(page): Query<Page>) -> Json<Value> {
    Json(json!({ "limit": page.limit }))
}

#[derive(Serialize, Deserialize)]
struct Item {
    name: String,
    quantity: u32,
}

async fn add(Json(item): Json<Item>) -> Json<Item> {
    Json(item)
}

async fn item(Path(id): Path<u32>) -> String {
    id.to_string()
}
