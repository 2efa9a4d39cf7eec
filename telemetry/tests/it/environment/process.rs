//! What a whole process with an environment of its own writes and sends.

use super::{Receiver, one_span, texts};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use std::process::Command;
use std::time::Duration;
use telemetry::Service;

const CHILD: &str = "TELEMETRY_TEST_ENVIRONMENT_CHILD";

/// A whole process with this environment; what it wrote to standard output.
async fn process(variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "environment::process::a_process_of_its_own",
            "--nocapture",
        ])
        .env_remove("RUST_LOG")
        .env(CHILD, "1")
        .envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = output.await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{stdout}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    stdout
}

/// Alone it does nothing: it is what [`process`] runs.
#[tokio::test]
async fn a_process_of_its_own() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let telemetry = telemetry::init(Service::new("orders", "1.2.3")).unwrap();
    one_span(&telemetry);
    tracing::warn!(a = "abcdef", b = "abcdef", c = "abcdef", "sold");
    telemetry.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test]
async fn the_console_gets_a_line_of_otlp_for_each_signal() {
    let stdout = process(&[
        ("OTEL_TRACES_EXPORTER", "console"),
        ("OTEL_METRICS_EXPORTER", "console"),
        ("OTEL_LOGS_EXPORTER", "otlp/stdout"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
    ])
    .await;
    let of = |start: &str| {
        let line = stdout
            .lines()
            .find_map(|line| Some(&line[line.find(start)?..]));
        line.unwrap_or_else(|| panic!("no {start} in {stdout}"))
            .to_owned()
    };
    let spans: ExportTraceServiceRequest = serde_json::from_str(&of("{\"resourceSpans\"")).unwrap();
    assert_eq!(spans.resource_spans[0].scope_spans[0].spans.len(), 1);
    let metrics: ExportMetricsServiceRequest =
        serde_json::from_str(&of("{\"resourceMetrics\"")).unwrap();
    assert!(
        !metrics.resource_metrics[0].scope_metrics[0]
            .metrics
            .is_empty()
    );
    let logs: ExportLogsServiceRequest = serde_json::from_str(&of("{\"resourceLogs\"")).unwrap();
    assert!(!logs.resource_logs[0].scope_logs[0].log_records.is_empty());
    // What was ignored is said.
    let warning = "variable is ignored";
    assert!(
        stdout
            .lines()
            .any(|line| line.contains(warning) && line.contains("many"))
    );
    let quiet = process(&[
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_LOG_LEVEL", "error"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
    ])
    .await;
    assert!(
        quiet.contains("sold") && !quiet.contains(warning),
        "{quiet}"
    );
}

#[tokio::test]
async fn log_records_leave_as_told() {
    for (limits, attributes, length) in [
        (vec![("OTEL_ATTRIBUTE_COUNT_LIMIT", "2")], 2, 6),
        (
            vec![
                ("OTEL_ATTRIBUTE_COUNT_LIMIT", "2"),
                ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", "1"),
                ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3"),
            ],
            1,
            3,
        ),
    ] {
        let (receiver, address) = Receiver::start().await;
        let endpoint = format!("{address}/logs");
        let mut variables = vec![
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "otlp"),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", endpoint.as_str()),
            ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-tenant=logs"),
            ("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "5000"),
            ("OTEL_BLRP_MAX_QUEUE_SIZE", "100"),
            ("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "1"),
            ("OTEL_BLRP_SCHEDULE_DELAY", "50"),
            ("OTEL_BLRP_EXPORT_TIMEOUT", "5000"),
        ];
        variables.extend(limits);
        process(&variables).await;
        let requests = receiver.requests();
        let records: Vec<_> = requests
            .iter()
            .map(|request| {
                assert_eq!(request.path, "/logs");
                assert_eq!(request.headers["x-tenant"], "logs");
                assert_eq!(request.headers["content-encoding"], "gzip");
                let request = ExportLogsServiceRequest::decode(&request.body[..]).unwrap();
                let records = request.resource_logs.into_iter();
                let records = records.flat_map(|resource| resource.scope_logs);
                let records: Vec<_> = records.flat_map(|scope| scope.log_records).collect();
                assert_eq!(records.len(), 1);
                records[0].clone()
            })
            .collect();
        let sold = records.iter().find(|record| {
            let body = record.body.as_ref().unwrap().value.clone();
            body == Some(Value::StringValue("sold".to_owned()))
        });
        let sold = sold.unwrap();
        assert_eq!(sold.attributes.len(), attributes);
        assert!(sold.dropped_attributes_count > 0);
        let texts = texts(&sold.attributes);
        assert!(texts.values().all(|text| text.len() <= length), "{texts:?}");
    }
}
