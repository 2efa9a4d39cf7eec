//! Which traces are recorded.

use super::SettingsError;
use super::env::{Environment, error};

/// Which traces are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// The share of traces that begin here, 0 to 1.
    pub ratio: f64,
    /// A caller's decision is kept; otherwise every span is decided anew.
    pub parent_based: bool,
}

impl Default for Sampler {
    fn default() -> Self {
        Sampler {
            ratio: 1.0,
            parent_based: true,
        }
    }
}

pub(super) fn read(env: &Environment<'_>) -> Result<Sampler, SettingsError> {
    const NAME: &str = "OTEL_TRACES_SAMPLER";
    let ratio = || {
        let ratio = env.parse("OTEL_TRACES_SAMPLER_ARG", |value| {
            value
                .parse()
                .ok()
                .filter(|ratio| (0.0..=1.0).contains(ratio))
        });
        ratio.unwrap_or(1.0)
    };
    let Some(value) = env.text(NAME) else {
        return Ok(Sampler::default());
    };
    let name = value.to_ascii_lowercase();
    let (parent_based, root) = name
        .strip_prefix("parentbased_")
        .map_or((false, name.as_str()), |root| (true, root));
    let ratio = match root {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => ratio(),
        // They ask a server what to do. To sample everything, or nothing, in its place could be
        // costly or blind.
        "jaeger_remote" | "xray" => return Err(error(NAME, &value)),
        _ => {
            env.ignore(NAME, &value);
            return Ok(Sampler::default());
        }
    };
    Ok(Sampler {
        ratio,
        parent_based,
    })
}
