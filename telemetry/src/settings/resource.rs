//! What the environment says about the resource.

use super::env::Environment;
use super::pairs::pairs;

/// `OTEL_RESOURCE_ATTRIBUTES`. With a mistake in it all of it is discarded, by the
/// [specification](https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable).
pub(super) fn read(env: &Environment<'_>) -> Vec<(String, String)> {
    env.parse("OTEL_RESOURCE_ATTRIBUTES", pairs)
        .unwrap_or_default()
}
