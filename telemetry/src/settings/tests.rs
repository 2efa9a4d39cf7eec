//! The variables, as they are written and as they are wrong.

use super::table::GROUPS;
use super::*;
use crate::context::Propagator;
use crate::sampling::Ratio;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

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
            settings(&variables)
                .unwrap()
                .traces
                .otlp
                .unwrap()
                .endpoint
                .to_string(),
            endpoint
        );
    }
}

#[test]
fn metrics_and_logs_are_exported_on_demand() {
    let common = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1");
    let both = settings(&[common, ("OTEL_METRICS_EXPORTER", "otlp")]).unwrap();
    assert_eq!(both.metrics.otlp.unwrap().endpoint, "http://c:1/v1/metrics");
    assert_eq!(both.logs.otlp, None);
    let logs = settings(&[
        common,
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "HTTP/JSON"),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://l:2/logs"),
    ]);
    let logs = logs.unwrap().logs.otlp.unwrap();
    assert_eq!(logs.endpoint, "https://l:2/logs");
    assert_eq!(logs.protocol, Protocol::HttpJson);
}

#[test]
fn samplers() {
    let quarter = Sampler::Ratio("0.25".parse().unwrap());
    let all = Sampler::Ratio(Ratio::ALL);
    for (name, arg, sampler) in [
        ("", "0.25", Sampler::parent_based(Sampler::AlwaysOn)),
        ("always_on", "", Sampler::AlwaysOn),
        ("ALWAYS_OFF", "", Sampler::AlwaysOff),
        ("traceidratio", "0.25", quarter.clone()),
        ("traceidratio", "1e-30", all.clone()),
        (
            "parentbased_always_off",
            "",
            Sampler::parent_based(Sampler::AlwaysOff),
        ),
        ("parentbased_traceidratio", "", Sampler::parent_based(all)),
        (
            "parentbased_traceidratio",
            "0.25",
            Sampler::parent_based(quarter),
        ),
    ] {
        let variables = [
            ("OTEL_TRACES_SAMPLER", name),
            ("OTEL_TRACES_SAMPLER_ARG", arg),
        ];
        assert_eq!(settings(&variables).unwrap().sampler, sampler, "{name}");
    }
}

#[test]
fn propagators_keep_their_order() {
    use Propagator::{B3, Baggage, Jaeger, TraceContext, XRay};
    for (value, order) in [
        (" ", vec![TraceContext, Baggage]),
        ("none", vec![]),
        (
            "b3,baggage, B3 ,tracecontext",
            vec![B3, Baggage, TraceContext],
        ),
        ("none,jaeger", vec![Jaeger]),
        ("xray,unheard-of", vec![XRay]),
        ("unheard-of", vec![TraceContext, Baggage]),
    ] {
        let settings = settings(&[("OTEL_PROPAGATORS", value)]).unwrap();
        let read: Vec<_> = settings.propagators.iter().collect();
        assert_eq!(read, order, "{value}");
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
    ])
    .unwrap();
    assert_eq!(settings.resource_attributes[0].1, "a b");
    let otlp = settings.traces.otlp.unwrap();
    assert_eq!(otlp.headers[0].1, "Bearer x");
    assert_eq!(otlp.timeout, Duration::from_millis(250));
    assert_eq!(settings.traces.queue.max_records, Some(100));
    assert_eq!(
        settings.traces.queue.schedule_delay,
        Duration::from_millis(50)
    );
    assert_eq!(
        settings.propagators,
        [Propagator::TraceContext].into_iter().collect()
    );
}

#[test]
fn what_cannot_be_done_is_an_error() {
    for (name, value) in [
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_TRACES_SAMPLER", "parentbased_jaeger_remote"),
        ("OTEL_TRACES_SAMPLER", "xray"),
        ("OTEL_CONFIG_FILE", "/etc/otel.yaml"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
    ] {
        let error = settings(&[(name, value)]).unwrap_err();
        assert_eq!(
            (error.variable.as_str(), error.value.as_str()),
            (name, value)
        );
    }
    let half = settings(&[("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "own.pem")]);
    assert_eq!(
        half.unwrap_err().variable,
        "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY"
    );
    let half = settings(&[("OTEL_EXPORTER_OTLP_CLIENT_KEY", "key.pem")]);
    assert_eq!(
        half.unwrap_err().variable,
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
    );
    let secret = settings(&[("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret")]).unwrap_err();
    assert!(!secret.to_string().contains("secret"));
    let secret = settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:secret@c")]);
    assert!(!secret.unwrap_err().to_string().contains("secret"));
}

#[test]
fn what_is_not_understood_is_as_if_unset_and_is_said() {
    for (name, value) in [
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_PROPAGATORS", "pigeon"),
        ("OTEL_TRACES_EXPORTER", "fax"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/xml"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_SDK_DISABLED", "1"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "-1"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "never"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "linear",
        ),
        ("OTEL_RESOURCE_ATTRIBUTES", "a"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=b,=c"),
    ] {
        let mut settings = settings(&[(name, value)]).unwrap();
        let ignored = std::mem::take(&mut settings.ignored);
        let [ignored] = &ignored[..] else {
            panic!("{name}={value}: {ignored:?}")
        };
        assert_eq!(
            (ignored.variable.as_str(), ignored.value.as_str()),
            (name, value)
        );
        assert_eq!(settings, Settings::default(), "{name}={value}");
    }
}

#[test]
fn nothing_leaves_when_disabled() {
    let settings = settings(&[
        ("OTEL_SDK_DISABLED", "True"),
        ("OTEL_METRICS_EXPORTER", "otlp"),
        ("OTEL_LOGS_EXPORTER", "otlp"),
    ]);
    let settings = settings.unwrap();
    assert_eq!(settings.traces.otlp, None);
    assert_eq!(settings.metrics.otlp, None);
    assert_eq!(settings.logs.otlp, None);
}

/// The specification's own list: that of its tables and of its pages on the OTLP exporters.
const SPECIFIED: &str = include_str!("specified.txt");

#[test]
fn every_variable_is_on_the_page_once_and_is_read() {
    let rows = GROUPS.iter().flat_map(|group| group.rows);
    let listed: Vec<_> = rows.flat_map(|row| row.names).copied().collect();
    let once: BTreeSet<_> = listed.iter().copied().collect();
    assert_eq!(once.len(), listed.len());

    let read = RefCell::new(BTreeSet::new());
    // Values that make every other variable matter.
    let read_with = |set: &[(&str, &str)]| {
        let settings = Settings::from_vars(|name| {
            read.borrow_mut().insert(name.to_owned());
            let set = set.iter().find(|(known, _)| *known == name);
            set.map(|(_, value)| (*value).to_owned())
        });
        settings.unwrap();
    };
    read_with(&[]);
    read_with(&[
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
    ]);
    let read = read.into_inner();
    let read: BTreeSet<_> = read.iter().map(String::as_str).collect();
    assert_eq!(read, once);

    let specified: BTreeSet<_> = SPECIFIED.lines().collect();
    let missing: Vec<_> = specified.difference(&once).collect();
    assert_eq!(missing, [] as [&&str; 0]);
}

#[test]
fn the_page_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/environment.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(written, page, "run the tests again with UPDATE_DOCS=1");
}
