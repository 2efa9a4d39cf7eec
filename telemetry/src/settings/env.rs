//! The variables of the
//! [OpenTelemetry specification](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/)
//! and of the [OTLP exporter](https://opentelemetry.io/docs/specs/otel/protocol/exporter/).

use super::{Compression, Otlp, Protocol, Queue, Sampler, Settings, TracesExporter};
use crate::context::{Baggage, Propagators};
use http::{HeaderName, HeaderValue, Uri};
use std::time::Duration;

/// A variable that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}={value:?} is not supported: expected {expected}")]
pub struct SettingsError {
    /// Its name.
    pub variable: String,
    /// Its value; headers are left out, they may hold secrets.
    pub value: String,
    /// What would have been understood.
    pub expected: &'static str,
}

fn error(variable: &str, value: &str, expected: &'static str) -> SettingsError {
    SettingsError {
        variable: variable.to_owned(),
        value: value.to_owned(),
        expected,
    }
}

type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// An empty variable is an unset one.
fn get(variable: Variable<'_>, name: &str) -> Option<String> {
    let value = variable(name)?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// The variables of one signal: its word in their names, and its path over HTTP.
#[derive(Debug, Clone, Copy)]
struct Signal {
    word: &'static str,
    path: &'static str,
}

const TRACES: Signal = Signal {
    word: "TRACES",
    path: "/v1/traces",
};
const METRICS: Signal = Signal {
    word: "METRICS",
    path: "/v1/metrics",
};
const LOGS: Signal = Signal {
    word: "LOGS",
    path: "/v1/logs",
};

impl Signal {
    /// The variable for this signal, or the one for all signals; with its name.
    fn get(self, variable: Variable<'_>, suffix: &str) -> Option<(String, String)> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{suffix}", self.word);
        [own, format!("OTEL_EXPORTER_OTLP_{suffix}")]
            .into_iter()
            .find_map(|name| get(variable, &name).map(|value| (name, value)))
    }
}

pub(super) fn read(variable: Variable<'_>) -> Result<Settings, SettingsError> {
    let defaults = Settings::default();
    let disabled =
        get(variable, "OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    Ok(Settings {
        service_name: get(variable, "OTEL_SERVICE_NAME"),
        resource_attributes: resource_attributes(variable)?,
        sampler: sampler(variable)?,
        propagators: propagators(variable)?,
        traces_exporter: if disabled {
            TracesExporter::None
        } else {
            exporter(variable)?
        },
        otlp: otlp(variable, TRACES)?,
        metrics_otlp: if disabled {
            None
        } else {
            api_otlp(variable, METRICS)?
        },
        logs_otlp: if disabled {
            None
        } else {
            api_otlp(variable, LOGS)?
        },
        queue: queue(variable)?,
        limits: defaults.limits,
        log_format: defaults.log_format,
        log_filter: get(variable, "RUST_LOG").unwrap_or(defaults.log_filter),
    })
}

/// `key=value` pairs in the form of W3C Baggage.
fn resource_attributes(variable: Variable<'_>) -> Result<Vec<(String, String)>, SettingsError> {
    const NAME: &str = "OTEL_RESOURCE_ATTRIBUTES";
    let Some(value) = get(variable, NAME) else {
        return Ok(Vec::new());
    };
    pairs(&value).ok_or_else(|| error(NAME, &value, "key=value,key=value"))
}

fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for entry in text
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        let (key, value) = entry.split_once('=')?;
        let value = Baggage::decode(value.trim());
        pairs.push((key.trim().to_owned(), value));
    }
    Some(pairs)
}

fn sampler(variable: Variable<'_>) -> Result<Sampler, SettingsError> {
    const ARG: &str = "OTEL_TRACES_SAMPLER_ARG";
    let name = get(variable, "OTEL_TRACES_SAMPLER").unwrap_or("parentbased_always_on".to_owned());
    let ratio = || match get(variable, ARG) {
        None => Ok(1.0),
        Some(value) => value
            .parse()
            .ok()
            .filter(|ratio| (0.0..=1.0).contains(ratio))
            .ok_or_else(|| error(ARG, &value, "a number from 0 to 1")),
    };
    let (parent_based, root) = name
        .strip_prefix("parentbased_")
        .map_or((false, name.as_str()), |root| (true, root));
    let ratio = match root {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => ratio()?,
        _ => {
            return Err(error(
                "OTEL_TRACES_SAMPLER",
                &name,
                "always_on, always_off or traceidratio, each also after parentbased_",
            ));
        }
    };
    Ok(Sampler {
        ratio,
        parent_based,
    })
}

fn propagators(variable: Variable<'_>) -> Result<Propagators, SettingsError> {
    const NAME: &str = "OTEL_PROPAGATORS";
    let Some(value) = get(variable, NAME) else {
        return Ok(Propagators::default());
    };
    let mut propagators = Propagators {
        tracecontext: false,
        baggage: false,
    };
    for name in value.split(',').map(str::trim) {
        match name {
            "tracecontext" => propagators.tracecontext = true,
            "baggage" => propagators.baggage = true,
            "none" => {}
            _ => {
                return Err(error(
                    NAME,
                    &value,
                    "a list of tracecontext and baggage, or none",
                ));
            }
        }
    }
    Ok(propagators)
}

fn exporter(variable: Variable<'_>) -> Result<TracesExporter, SettingsError> {
    const NAME: &str = "OTEL_TRACES_EXPORTER";
    match get(variable, NAME).as_deref() {
        None | Some("otlp") => Ok(TracesExporter::Otlp),
        Some("none") => Ok(TracesExporter::None),
        Some(value) => Err(error(NAME, value, "otlp or none")),
    }
}

/// The endpoint for what is recorded by the OpenTelemetry API, exported only on demand: the
/// metrics page and the log lines are there without it.
fn api_otlp(variable: Variable<'_>, signal: Signal) -> Result<Option<Otlp>, SettingsError> {
    let name = format!("OTEL_{}_EXPORTER", signal.word);
    match get(variable, &name).as_deref() {
        None | Some("none") => return Ok(None),
        Some("otlp") => {}
        Some(value) => return Err(error(&name, value, "otlp or none")),
    }
    let otlp = otlp(variable, signal)?;
    match (otlp.protocol, signal.get(variable, "PROTOCOL")) {
        (Protocol::Grpc, Some((name, value))) => Err(error(&name, &value, "http/protobuf")),
        _ => Ok(Some(otlp)),
    }
}

fn otlp(variable: Variable<'_>, signal: Signal) -> Result<Otlp, SettingsError> {
    let protocol = match signal.get(variable, "PROTOCOL") {
        None => Protocol::default(),
        Some((name, value)) => match value.as_str() {
            "http/protobuf" => Protocol::HttpProtobuf,
            "grpc" => Protocol::Grpc,
            _ => return Err(error(&name, &value, "http/protobuf or grpc")),
        },
    };
    let compression = match signal.get(variable, "COMPRESSION") {
        None => Compression::None,
        Some((name, value)) => match value.as_str() {
            "gzip" => Compression::Gzip,
            "none" => Compression::None,
            _ => return Err(error(&name, &value, "gzip or none")),
        },
    };
    let timeout = signal.get(variable, "TIMEOUT");
    let timeout = match timeout {
        None => Duration::from_secs(10),
        Some((name, value)) => millis(&name, &value)?,
    };
    Ok(Otlp {
        endpoint: endpoint(variable, signal, protocol)?,
        protocol,
        headers: headers(variable, signal)?,
        timeout,
        compression,
    })
}

/// A signal's own endpoint is used as it is; to the common one HTTP appends the signal's path.
fn endpoint(
    variable: Variable<'_>,
    signal: Signal,
    protocol: Protocol,
) -> Result<Uri, SettingsError> {
    const COMMON: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let default = match protocol {
        Protocol::HttpProtobuf => "http://localhost:4318",
        Protocol::Grpc => "http://localhost:4317",
    };
    let (name, value) = signal
        .get(variable, "ENDPOINT")
        .unwrap_or_else(|| (COMMON.to_owned(), default.to_owned()));
    let text = match protocol {
        Protocol::HttpProtobuf if name == COMMON => {
            format!("{}{}", value.trim_end_matches('/'), signal.path)
        }
        _ => value.clone(),
    };
    let uri = text.parse::<Uri>().ok().filter(|uri| {
        uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty())
    });
    // A password would go on into log lines; there are headers for it.
    if uri
        .as_ref()
        .and_then(Uri::authority)
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err(error(&name, "...", "a URL without user and password"));
    }
    uri.ok_or_else(|| error(&name, &value, "a URL that begins with http://"))
}

fn headers(
    variable: Variable<'_>,
    signal: Signal,
) -> Result<Vec<(HeaderName, HeaderValue)>, SettingsError> {
    let Some((name, value)) = signal.get(variable, "HEADERS") else {
        return Ok(Vec::new());
    };
    let headers = pairs(&value).and_then(|pairs| {
        pairs
            .into_iter()
            .map(|(key, value)| {
                let mut value = HeaderValue::try_from(value).ok()?;
                value.set_sensitive(true);
                Some((HeaderName::try_from(key).ok()?, value))
            })
            .collect()
    });
    headers.ok_or_else(|| error(&name, "...", "key=value,key=value"))
}

fn queue(variable: Variable<'_>) -> Result<Queue, SettingsError> {
    let mut queue = Queue::default();
    let number = |name: &'static str| match get(variable, name) {
        None => Ok(None),
        Some(value) => value
            .parse::<u64>()
            .ok()
            .filter(|number| *number > 0)
            .map(Some)
            .ok_or_else(|| error(name, &value, "a positive whole number")),
    };
    queue.max_spans = number("OTEL_BSP_MAX_QUEUE_SIZE")?;
    if let Some(spans) = number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE")? {
        queue.max_batch_spans = spans;
    }
    if let Some(delay) = get(variable, "OTEL_BSP_SCHEDULE_DELAY") {
        queue.schedule_delay = millis("OTEL_BSP_SCHEDULE_DELAY", &delay)?;
    }
    Ok(queue)
}

fn millis(name: &str, value: &str) -> Result<Duration, SettingsError> {
    let millis = value.parse::<u64>().ok().filter(|millis| *millis > 0);
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| error(name, value, "milliseconds, more than 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        Settings::from_vars(|name| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn nothing_set_is_the_default() {
        assert_eq!(settings(&[]).unwrap(), Settings::default());
        assert_eq!(
            settings(&[("OTEL_TRACES_SAMPLER", " ")]).unwrap(),
            Settings::default()
        );
    }

    #[test]
    fn endpoints_follow_the_protocol() {
        for (variables, endpoint) in [
            (
                vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1/")],
                "http://c:1/v1/traces",
            ),
            (
                vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1/base")],
                "http://c:1/base/v1/traces",
            ),
            (
                vec![("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:1/x")],
                "http://c:1/x",
            ),
            (
                vec![("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
                "http://localhost:4317/",
            ),
            (
                vec![
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1"),
                ],
                "http://c:1/",
            ),
            (
                vec![
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
                ],
                "http://localhost:4318/v1/traces",
            ),
        ] {
            assert_eq!(
                settings(&variables).unwrap().otlp.endpoint.to_string(),
                endpoint
            );
        }
    }

    #[test]
    fn metrics_and_logs_are_exported_on_demand() {
        let common = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1");
        let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        let both = settings(&[common, ("OTEL_METRICS_EXPORTER", "otlp")]).unwrap();
        assert_eq!(both.metrics_otlp.unwrap().endpoint, "http://c:1/v1/metrics");
        assert_eq!(both.logs_otlp, None);
        let error = settings(&[common, grpc, ("OTEL_LOGS_EXPORTER", "otlp")]).unwrap_err();
        assert_eq!(
            (error.variable.as_str(), error.expected),
            (grpc.0, "http/protobuf")
        );
        let logs = settings(&[
            common,
            grpc,
            ("OTEL_LOGS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l:2/logs"),
        ]);
        assert_eq!(logs.unwrap().logs_otlp.unwrap().endpoint, "http://l:2/logs");
    }

    #[test]
    fn samplers() {
        for (name, arg, ratio, parent_based) in [
            ("always_on", "", 1.0, false),
            ("always_off", "", 0.0, false),
            ("traceidratio", "0.25", 0.25, false),
            ("parentbased_always_off", "", 0.0, true),
            ("parentbased_traceidratio", "", 1.0, true),
        ] {
            let variables = [
                ("OTEL_TRACES_SAMPLER", name),
                ("OTEL_TRACES_SAMPLER_ARG", arg),
            ];
            let sampler = settings(&variables).unwrap().sampler;
            assert_eq!(
                sampler,
                Sampler {
                    ratio,
                    parent_based
                },
                "{name}"
            );
        }
    }

    #[test]
    fn attributes_headers_and_bounds() {
        let settings = settings(&[
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "deployment.environment.name=a%20b, k=v",
            ),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "250"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BSP_SCHEDULE_DELAY", "50"),
            ("OTEL_PROPAGATORS", "tracecontext"),
            ("OTEL_SDK_DISABLED", "True"),
        ])
        .unwrap();
        assert_eq!(settings.resource_attributes[0].1, "a b");
        assert_eq!(settings.otlp.headers[0].1, "Bearer x");
        assert_eq!(settings.otlp.timeout, Duration::from_millis(250));
        assert_eq!(settings.queue.max_spans, Some(100));
        assert_eq!(settings.queue.schedule_delay, Duration::from_millis(50));
        assert_eq!(
            settings.propagators,
            Propagators {
                tracecontext: true,
                baggage: false
            }
        );
        assert_eq!(settings.traces_exporter, TracesExporter::None);
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for (name, value) in [
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
            ("OTEL_PROPAGATORS", "b3"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_METRICS_EXPORTER", "prometheus"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a"),
        ] {
            let error = settings(&[(name, value)]).unwrap_err();
            assert_eq!(
                (error.variable.as_str(), error.value.as_str()),
                (name, value)
            );
        }
        let secret = settings(&[("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret")]).unwrap_err();
        assert!(!secret.to_string().contains("secret"));
        let secret = settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:secret@c")]);
        assert!(!secret.unwrap_err().to_string().contains("secret"));
    }
}
