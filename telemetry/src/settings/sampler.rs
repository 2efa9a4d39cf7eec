//! Which traces are recorded.

use super::SettingsError;
use super::env::{Environment, error};
use crate::sampling::{Ratio, Sampler};

pub(super) fn read(env: &Environment<'_>) -> Result<Sampler, SettingsError> {
    const NAME: &str = "OTEL_TRACES_SAMPLER";
    let ratio = || {
        let ratio = env.parse("OTEL_TRACES_SAMPLER_ARG", |value| value.parse().ok());
        ratio.unwrap_or(Ratio::ALL)
    };
    let Some(value) = env.text(NAME) else {
        return Ok(Sampler::default());
    };
    let name = value.to_ascii_lowercase();
    let (parent_based, root) = name
        .strip_prefix("parentbased_")
        .map_or((false, name.as_str()), |root| (true, root));
    let sampler = match root {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => Sampler::Ratio(ratio()),
        // They ask a server of another vendor what to do. To sample everything, or nothing, in its
        // place could be costly or blind.
        "jaeger_remote" | "xray" => return Err(error(NAME, &value)),
        _ => {
            env.ignore(NAME, &value);
            return Ok(Sampler::default());
        }
    };
    Ok(match parent_based {
        true => Sampler::parent_based(sampler),
        false => sampler,
    })
}
