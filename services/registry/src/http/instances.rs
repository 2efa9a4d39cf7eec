use std::net::SocketAddr;

use app::Problem;
use app::auth::ServiceCaller;
use app::extract::{Json, Path};
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Context;
use super::caller::{Reader, must_be};
use super::error::Error;
use super::watches;
use crate::domain::{Instance, InstanceState, Listed, Name, Readiness, View};

/// An instance that says where it is.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RegisterBody {
    #[schema(example = "catalog")]
    service: String,
    /// New with every start of the process.
    #[schema(example = "019aa3b2-7c7e-7bb0-a3a2-6c1c2f9f2a11")]
    instance_id: String,
    /// Where it takes requests.
    #[schema(value_type = String, example = "127.0.0.1:41234")]
    address: SocketAddr,
    /// Where it answers `/metrics`.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "127.0.0.1:41235")]
    admin_address: Option<SocketAddr>,
    #[schema(example = "0.1.0")]
    version: String,
    pid: u32,
}

impl RegisterBody {
    fn parse(self) -> Result<Instance, Error> {
        let instance = Instance {
            service: Name::parse(self.service)?,
            id: Name::parse(self.instance_id)?,
            address: self.address,
            admin_address: self.admin_address,
            version: self.version,
            pid: self.pid,
        };
        instance.check()?;
        Ok(instance)
    }
}

/// A lease.
#[derive(Serialize, ToSchema)]
pub(crate) struct LeaseBody {
    /// How long it holds without a heartbeat. Send three in that time.
    #[schema(example = 5000)]
    ttl_ms: u64,
}

impl LeaseBody {
    fn of(context: &Context) -> Self {
        let millis = context.directory.ttl().as_millis();
        Self {
            ttl_ms: u64::try_from(millis).unwrap_or(u64::MAX),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ServicesBody {
    services: Vec<ServiceCount>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ServiceCount {
    service: String,
    /// Those that are up.
    instances: usize,
}

/// A service's instances.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstancesBody {
    service: String,
    /// Grows with every change of the rest, and starts over with the registry.
    revision: u64,
    state: RegistryState,
    instances: Vec<InstanceBody>,
}

/// `warming`: the registry has started, or slept, so lately that more instances may be alive than
/// have said so. What it lists is there; what it does not list may be there too.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RegistryState {
    Ready,
    Warming,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct InstanceBody {
    instance_id: String,
    #[schema(value_type = String)]
    address: SocketAddr,
    #[schema(value_type = Option<String>)]
    admin_address: Option<SocketAddr>,
    version: String,
    pid: u32,
    state: InstanceStateBody,
}

/// `lapsed`: silent for longer than its lease, and never deregistered.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = InstanceState)]
pub(super) enum InstanceStateBody {
    Up,
    Lapsed,
}

impl From<InstanceState> for InstanceStateBody {
    fn from(state: InstanceState) -> Self {
        match state {
            InstanceState::Up => Self::Up,
            InstanceState::Lapsed => Self::Lapsed,
        }
    }
}

impl InstancesBody {
    fn new(service: &Name, view: &View) -> Self {
        Self {
            service: service.to_string(),
            revision: view.revision,
            state: match view.readiness {
                Readiness::Ready => RegistryState::Ready,
                Readiness::Warming => RegistryState::Warming,
            },
            instances: view.instances.iter().map(InstanceBody::new).collect(),
        }
    }
}

impl InstanceBody {
    fn new(Listed { instance, state }: &Listed) -> Self {
        Self {
            instance_id: instance.id.to_string(),
            address: instance.address,
            admin_address: instance.admin_address,
            version: instance.version.clone(),
            pid: instance.pid,
            state: (*state).into(),
        }
    }
}

/// Registers an instance. Registering again renews the lease; whoever was registered at the same
/// address is replaced.
#[utoipa::path(
    post,
    path = "/v1/instances",
    tag = "instances",
    request_body = RegisterBody,
    responses(
        (status = 201, body = LeaseBody),
        (status = 400, description = "`invalid_name`, `invalid_json`"),
        (status = 401, description = "no service token, or one that is refused"),
        (status = 403, description = "`forbidden`: the token is another service's"),
        (status = 409, description = "`too_many_services`, `too_many_instances`"),
        (status = 422, description = "`invalid_instance`, `invalid_fields`"),
    ),
)]
pub(super) async fn register(
    State(context): State<Context>,
    caller: ServiceCaller,
    Json(body): Json<RegisterBody>,
) -> Result<(StatusCode, Json<LeaseBody>), Problem> {
    let instance = body.parse()?;
    must_be(&caller, instance.service.as_str())?;
    context.directory.register(instance).map_err(Error::from)?;
    Ok((StatusCode::CREATED, Json(LeaseBody::of(&context))))
}

/// Renews an instance's lease: a heartbeat.
#[utoipa::path(
    put,
    path = "/v1/instances/{service}/{instance_id}",
    tag = "instances",
    params(("service" = String, Path), ("instance_id" = String, Path)),
    responses(
        (status = 200, body = LeaseBody),
        (status = 401, description = "no service token, or one that is refused"),
        (status = 403, description = "`forbidden`: the token is another service's"),
        (status = 404, description = "`unknown_instance`: register anew"),
    ),
)]
pub(super) async fn heartbeat(
    State(context): State<Context>,
    caller: ServiceCaller,
    Path((service, instance_id)): Path<(String, String)>,
) -> Result<Json<LeaseBody>, Problem> {
    must_be(&caller, &service)?;
    let (service, id) = names(service, instance_id)?;
    if !context.directory.renew(&service, &id) {
        return Err(Error::UnknownInstance.into());
    }
    Ok(Json(LeaseBody::of(&context)))
}

/// Takes an instance off the list, now.
#[utoipa::path(
    delete,
    path = "/v1/instances/{service}/{instance_id}",
    tag = "instances",
    params(("service" = String, Path), ("instance_id" = String, Path)),
    responses(
        (status = 204, description = "it is not on the list (any more)"),
        (status = 401, description = "no service token, or one that is refused"),
        (status = 403, description = "`forbidden`: the token is another service's"),
    ),
)]
pub(super) async fn deregister(
    State(context): State<Context>,
    caller: ServiceCaller,
    Path((service, instance_id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    must_be(&caller, &service)?;
    let (service, id) = names(service, instance_id)?;
    context.directory.deregister(&service, &id);
    Ok(StatusCode::NO_CONTENT)
}

fn names(service: String, instance_id: String) -> Result<(Name, Name), Error> {
    Ok((Name::parse(service)?, Name::parse(instance_id)?))
}

/// Every service that has registered since the registry started.
#[utoipa::path(
    get,
    path = "/v1/services",
    tag = "instances",
    responses(
        (status = 200, body = ServicesBody),
        (status = 401, description = "neither a service nor the operator"),
    ),
)]
pub(super) async fn list(State(context): State<Context>, _: Reader) -> Json<ServicesBody> {
    let counts = context.directory.counts().into_iter();
    let services = counts.map(|count| ServiceCount {
        service: count.service.to_string(),
        instances: count.up,
    });
    Json(ServicesBody {
        services: services.collect(),
    })
}

/// A service's instances. One that never registered has none.
#[utoipa::path(
    get,
    path = "/v1/services/{service}",
    tag = "instances",
    params(("service" = String, Path)),
    responses(
        (status = 200, body = InstancesBody),
        (status = 400, description = "`invalid_name`"),
        (status = 401, description = "neither a service nor the operator"),
    ),
)]
pub(super) async fn read(
    State(context): State<Context>,
    _: Reader,
    Path(service): Path<String>,
) -> Result<Json<InstancesBody>, Problem> {
    let service = Name::parse(service).map_err(Error::from)?;
    Ok(Json(InstancesBody::new(
        &service,
        &context.directory.view(&service),
    )))
}

/// A service's instances as server-sent events: now, and after every change. Each event is named
/// `instances`, its `id` is the revision, and its data is what `GET /v1/services/{service}`
/// answers. A slow reader misses states in between, never the latest.
#[utoipa::path(
    get,
    path = "/v1/services/{service}/watch",
    tag = "instances",
    params(("service" = String, Path)),
    responses(
        (status = 200, content_type = "text/event-stream", body = InstancesBody),
        (status = 400, description = "`invalid_name`"),
        (status = 401, description = "neither a service nor the operator"),
        (status = 503, description = "`too_many_watches`"),
    ),
)]
pub(super) async fn watch(
    State(context): State<Context>,
    _: Reader,
    Path(service): Path<String>,
) -> Result<Response, Problem> {
    let service = Name::parse(service).map_err(Error::from)?;
    let admitted = context.watchers.admit()?;
    let directory = context.directory;
    let bell = directory.changes();
    let mut sent = None;
    let look = move || {
        let view = directory.view(&service);
        let is_news = sent.replace(view.revision) != Some(view.revision);
        is_news.then(|| {
            watches::event("instances", &InstancesBody::new(&service, &view))
                .id(view.revision.to_string())
        })
    };
    Ok(watches::stream(admitted, context.stopping, bell, look))
}
