//! Where OTLP goes and how, by the
//! [options of the exporter](https://opentelemetry.io/docs/specs/otel/protocol/exporter/).

use super::SettingsError;
use super::env::{Environment, error};
use super::pairs::pairs;
use crate::export::signal::Signal;
use http::{HeaderName, HeaderValue, Uri};
use std::path::PathBuf;
use std::time::Duration;

/// An OTLP endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Otlp {
    /// Whole URL, `http://` or `https://`; for HTTP with the path. For traces by default
    /// `http://localhost:4318/v1/traces`.
    pub endpoint: Uri,
    /// The wire protocol.
    pub protocol: Protocol,
    /// Sent with each request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Of one attempt.
    pub timeout: Duration,
    /// Of request bodies.
    pub compression: Compression,
    /// For `https://` endpoints.
    pub tls: Tls,
}

/// How OTLP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// Protobuf over HTTP/1.1.
    #[default]
    HttpProtobuf,
    /// JSON over HTTP/1.1.
    HttpJson,
    /// gRPC over HTTP/2.
    Grpc,
}

/// How request bodies are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip.
    Gzip,
}

/// Whom to trust, and how to show who is calling: files in PEM format.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Certificates that the collector's must be signed by, instead of those on Mozilla's list.
    pub ca: Option<PathBuf>,
    /// The certificate shown to the collector, with its chain.
    pub client_certificate: Option<PathBuf>,
    /// The private key of that certificate.
    pub client_key: Option<PathBuf>,
}

impl Default for Otlp {
    fn default() -> Self {
        Otlp {
            endpoint: Uri::from_static("http://localhost:4318/v1/traces"),
            protocol: Protocol::default(),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            compression: Compression::default(),
            tls: Tls::default(),
        }
    }
}

/// The variables of one signal, each standing before the one for all signals.
struct Variables<'a> {
    env: &'a Environment<'a>,
    signal: Signal,
}

impl Variables<'_> {
    /// What `read` finds under the signal's own name or else the common one; with the name.
    fn find<T>(&self, suffix: &str, read: impl Fn(&str) -> Option<T>) -> Option<(String, T)> {
        let word = match self.signal {
            Signal::Traces => "TRACES",
            Signal::Metrics => "METRICS",
            Signal::Logs => "LOGS",
        };
        let own = format!("OTEL_EXPORTER_OTLP_{word}_{suffix}");
        [own, format!("OTEL_EXPORTER_OTLP_{suffix}")]
            .into_iter()
            .find_map(|name| read(&name).map(|value| (name, value)))
    }

    fn text(&self, suffix: &str) -> Option<(String, String)> {
        self.find(suffix, |name| self.env.text(name))
    }
}

pub(super) fn read(env: &Environment<'_>, signal: Signal) -> Result<Otlp, SettingsError> {
    let variables = Variables { env, signal };
    let protocol = variables.find("PROTOCOL", |name| {
        let words = [
            ("grpc", Protocol::Grpc),
            ("http/protobuf", Protocol::HttpProtobuf),
            ("http/json", Protocol::HttpJson),
        ];
        env.one_of(name, &words)
    });
    let compression = variables.find("COMPRESSION", |name| {
        let words = [("gzip", Compression::Gzip), ("none", Compression::None)];
        env.one_of(name, &words)
    });
    let timeout = variables.find("TIMEOUT", |name| env.timeout(name));
    let protocol = protocol.map(|(_, protocol)| protocol).unwrap_or_default();
    Ok(Otlp {
        endpoint: endpoint(&variables, protocol)?,
        protocol,
        headers: headers(&variables)?,
        timeout: timeout.map_or(Duration::from_secs(10), |(_, timeout)| timeout),
        compression: compression.map(|(_, packed)| packed).unwrap_or_default(),
        tls: tls(&variables)?,
    })
}

/// A signal's own endpoint is used as it is; to the common one HTTP appends the signal's path.
fn endpoint(variables: &Variables<'_>, protocol: Protocol) -> Result<Uri, SettingsError> {
    const COMMON: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let grpc = protocol == Protocol::Grpc;
    let default = match grpc {
        true => "http://localhost:4317",
        false => "http://localhost:4318",
    };
    let (name, value) = variables
        .text("ENDPOINT")
        .unwrap_or_else(|| (COMMON.to_owned(), default.to_owned()));
    let text = if grpc && !value.contains("://") {
        let insecure = variables.find("INSECURE", |name| {
            variables
                .env
                .text(name)
                .map(|_| variables.env.boolean(name))
        });
        match insecure {
            Some((_, true)) => format!("http://{value}"),
            _ => format!("https://{value}"),
        }
    } else if !grpc && name == COMMON {
        let path = match variables.signal {
            Signal::Traces => "v1/traces",
            Signal::Metrics => "v1/metrics",
            Signal::Logs => "v1/logs",
        };
        format!("{}/{path}", value.trim_end_matches('/'))
    } else {
        value.clone()
    };
    url(&name, &value, &text)
}

/// The URL that `text` is; `value` is what the variable says.
pub(super) fn url(name: &str, value: &str, text: &str) -> Result<Uri, SettingsError> {
    // A password would go on into log lines; there are headers for it.
    if value.contains('@') {
        return Err(error(name, "..."));
    }
    let url = text.parse::<Uri>().ok().filter(|url| {
        matches!(url.scheme_str(), Some("http" | "https"))
            && url.host().is_some_and(|host| !host.is_empty())
    });
    url.ok_or_else(|| error(name, value))
}

fn headers(variables: &Variables<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, SettingsError> {
    let Some((name, value)) = variables.text("HEADERS") else {
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
    headers.ok_or_else(|| error(&name, "..."))
}

fn tls(variables: &Variables<'_>) -> Result<Tls, SettingsError> {
    let certificate = variables.text("CLIENT_CERTIFICATE");
    let key = variables.text("CLIENT_KEY");
    // Half a pair is of no use, and nobody means to have one.
    match (&certificate, &key) {
        (Some((name, _)), None) => return Err(error(&name.replace("CERTIFICATE", "KEY"), "")),
        (None, Some((name, _))) => return Err(error(&name.replace("KEY", "CERTIFICATE"), "")),
        _ => {}
    }
    let path = |found: Option<(String, String)>| found.map(|(_, file)| PathBuf::from(file));
    Ok(Tls {
        ca: path(variables.text("CERTIFICATE")),
        client_certificate: path(certificate),
        client_key: path(key),
    })
}
