use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};

use crate::{Service, admin::AdminApi, problem::ProblemBody};

#[derive(OpenApi)]
#[openapi(components(schemas(ProblemBody<'static>)))]
struct Shared;

/// A service's whole interface: its public routes and those of the admin listener.
#[must_use]
pub fn openapi<S: Service>() -> utoipa::openapi::OpenApi {
    let mut api = S::openapi();
    api.info.title = format!("citywatch-{}", S::NAME);
    S::VERSION.clone_into(&mut api.info.version);
    api.merge(AdminApi::openapi());
    api.merge(Shared::openapi());
    let operator = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "The operator's token, of the setting `operator_token`.",
        ))
        .build();
    let components = api.components.get_or_insert_default();
    components.add_security_scheme("operator_token", SecurityScheme::Http(operator));
    api
}
