//! What is sent, and where to.

use super::{exported, one_span, texts};

#[tokio::test]
async fn the_resource_is_what_the_variables_say() {
    for (variables, expected) in [
        (
            vec![("OTEL_SERVICE_NAME", "named")],
            vec![("service.name", "named"), ("service.version", "1.2.3")],
        ),
        (
            vec![(
                "OTEL_RESOURCE_ATTRIBUTES",
                "a%20key=a%2Cb,service.name=other,service.version=9",
            )],
            vec![
                ("a key", "a,b"),
                ("service.name", "orders"),
                ("service.version", "1.2.3"),
            ],
        ),
        (
            vec![
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,host.id=h1"),
                ("OTEL_SERVICE_NAME", "named"),
                ("OTEL_ENTITIES", "host{host.id=h2}[host.name=web]"),
            ],
            vec![
                ("service.name", "named"),
                ("host.id", "h1"),
                ("host.name", "web"),
            ],
        ),
    ] {
        let requests = exported(&variables, one_span).await;
        let resource = requests[0].resource();
        let texts = texts(&resource.attributes);
        for (key, value) in expected {
            assert_eq!(texts[key], value, "{variables:?}");
        }
        // The only entity here is of a host that the resource is not about.
        assert!(resource.entity_refs.is_empty());
    }
    let entity = "service{service.name=orders}[tier=gold];host{host.id=h}@https://schemas/1";
    let requests = exported(&[("OTEL_ENTITIES", entity)], one_span).await;
    let resource = requests[0].resource();
    assert_eq!(texts(&resource.attributes)["tier"], "gold");
    let [service, host] = &resource.entity_refs[..] else {
        panic!("{:?}", resource.entity_refs)
    };
    assert_eq!((&*service.r#type, &*host.r#type), ("service", "host"));
    assert_eq!(service.id_keys, ["service.name"]);
    assert_eq!(service.description_keys, ["tier"]);
    assert_eq!(host.schema_url, "https://schemas/1");
}

#[tokio::test]
async fn nothing_is_sent_when_told_so() {
    for variables in [
        [
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_METRICS_EXPORTER", "otlp"),
        ],
        [
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "none"),
        ],
        [
            ("OTEL_TRACES_SAMPLER", "always_off"),
            ("OTEL_LOGS_EXPORTER", "none"),
        ],
        [
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0"),
        ],
    ] {
        let requests = exported(&variables, one_span).await;
        assert!(requests.is_empty(), "{variables:?}");
    }
}

/// Each variable of OTLP, for all signals and for one, which stands before it.
#[tokio::test]
async fn each_signal_has_its_own_way() {
    let both = [("OTEL_METRICS_EXPORTER", "otlp")];
    for (own, others) in [("TRACES", "METRICS"), ("METRICS", "TRACES")] {
        let path = |signal: &str| format!("/v1/{}", signal.to_lowercase());
        let name = |suffix: &str| format!("OTEL_EXPORTER_OTLP_{own}_{suffix}");
        let (endpoint, protocol) = (name("ENDPOINT"), name("PROTOCOL"));
        let (headers, compression) = (name("HEADERS"), name("COMPRESSION"));
        let variables = [
            both[0],
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=all"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/PROTOBUF"),
            (&endpoint, "RECEIVER/own/path"),
            (&headers, "x-tenant=a%20b"),
            (&compression, "none"),
            (&protocol, "http/json"),
        ];
        let requests = exported(&variables, one_span).await;
        let at = |path: &str| {
            let request = requests.iter().find(|request| request.path == path);
            request.unwrap_or_else(|| panic!("nothing at {path}"))
        };
        let (one, other) = (at("/own/path"), at(&path(others)));
        assert_eq!(one.headers["x-tenant"], "a b");
        assert_eq!(other.headers["x-tenant"], "all");
        assert_eq!(one.headers.get("content-encoding"), None);
        assert_eq!(other.headers["content-encoding"], "gzip");
        assert_eq!(one.headers["content-type"], "application/json");
        assert_eq!(other.headers["content-type"], "application/x-protobuf");
        let json: serde_json::Value = serde_json::from_slice(&one.body).unwrap();
        assert!(
            json.as_object()
                .unwrap()
                .keys()
                .all(|key| key.starts_with("resource"))
        );
    }
}

#[tokio::test]
async fn zipkin_gets_its_own_json_beside_otlp() {
    let variables = [
        ("OTEL_TRACES_EXPORTER", "zipkin,otlp"),
        ("OTEL_EXPORTER_ZIPKIN_ENDPOINT", "RECEIVER/api/v2/spans"),
        ("OTEL_EXPORTER_ZIPKIN_TIMEOUT", "5000"),
    ];
    let requests = exported(&variables, one_span).await;
    let at = |path: &str| {
        requests
            .iter()
            .find(|request| request.path == path)
            .unwrap()
    };
    assert_eq!(at("/v1/traces").spans().len(), 1);
    let zipkin = at("/api/v2/spans");
    assert_eq!(zipkin.headers["content-type"], "application/json");
    let spans: serde_json::Value = serde_json::from_slice(&zipkin.body).unwrap();
    assert_eq!(spans[0]["kind"], "SERVER");
    assert_eq!(spans[0]["localEndpoint"]["serviceName"], "orders");
    assert_eq!(spans[0]["tags"]["http.response.status_code"], "200");
}
