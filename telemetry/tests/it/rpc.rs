//! Remote procedure calls, by the conventions' requirement levels.

use crate::collected;
use std::collections::BTreeMap;
use telemetry::rpc::{Method, Rpc, System};
use telemetry::testing::{Kind, Tree};
use telemetry::{Baggage, Service, Telemetry, context};

const PLACE: Method<'static> = Method::Known("city.Orders/Place");

type Metadata = BTreeMap<String, String>;

#[tokio::test]
async fn both_sides_are_one_trace() {
    let (shop, collector) = collected("shop");
    let orders = Telemetry::builder(Service::new("orders", "0"))
        .exporter(collector.exporter())
        .without_subscriber()
        .build()
        .unwrap();
    let mut metadata = Metadata::new();
    let request = shop
        .span("request")
        .baggage(Baggage::parse("member=ada"))
        .start();
    let client = shop.rpc(System::GRPC);
    let call = request
        .in_scope(async {
            let call = client.client(PLACE).server("orders.city", 8080).start();
            call.inject(&mut metadata);
            call
        })
        .await;
    let server = orders.rpc(System::GRPC);
    let work = server
        .server(PLACE)
        .server("orders.city", 8080)
        .start(&metadata);
    let member = work.in_scope(async { context::baggage().get("member").map(str::to_owned) });
    assert_eq!(member.await.as_deref(), Some("ada"));
    work.finish("OK");
    call.finish("OK");
    drop(request);
    let tree = Tree::one(collector.spans().await);
    tree.assert_shape(
        "shop request
           shop city.Orders/Place
             orders city.Orders/Place",
    );
    for (name, kind, flags) in [
        ("shop city.Orders/Place", Kind::Client, 0x103),
        ("orders city.Orders/Place", Kind::Server, 0x303),
    ] {
        let span = tree.span(name);
        assert_eq!((span.kind, span.flags), (kind, flags));
        let keys: Vec<_> = span.attributes.keys().map(String::as_str).collect();
        let expected = [
            "rpc.method",
            "rpc.response.status_code",
            "rpc.system.name",
            "server.address",
            "server.port",
        ];
        assert_eq!(keys, expected);
        assert_eq!(span.text("rpc.method"), Some("city.Orders/Place"));
        assert_eq!(span.text("rpc.response.status_code"), Some("OK"));
        assert_eq!(span.text("rpc.system.name"), Some("grpc"));
        assert!(!span.is_error());
    }
    let labels = "rpc_system_name=\"grpc\",rpc_method=\"city.Orders/Place\",\
                  rpc_response_status_code=\"OK\"";
    let line = format!(
        "rpc_client_call_duration_seconds_count{{{labels},server_address=\"orders.city\",\
         server_port=\"8080\"}} 1"
    );
    assert!(shop.metrics_page(None).body.contains(&line));
    let line = format!("rpc_server_call_duration_seconds_count{{{labels}}} 1");
    assert!(orders.metrics_page(None).body.contains(&line));
}

#[tokio::test]
async fn which_status_is_an_error_depends_on_system_and_side() {
    let grpc_server_errors = [
        "DATA_LOSS",
        "DEADLINE_EXCEEDED",
        "INTERNAL",
        "UNAVAILABLE",
        "UNIMPLEMENTED",
        "UNKNOWN",
    ];
    let grpc_others = [
        "CANCELLED",
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNAUTHENTICATED",
    ];
    let mut cases = vec![
        (System::GRPC, "OK", false, false),
        (System::JSON_RPC, "", false, false),
        (System::JSON_RPC, "-32602", true, true),
        (System::CONNECT, "", false, false),
        (System::CONNECT, "not_found", true, true),
        (System::DUBBO, "OK", false, false),
        (System::DUBBO, "SERVER_ERROR", true, true),
        (System::named("thrift", "fine"), "fine", false, false),
        (System::named("thrift", "fine"), "bad", true, true),
    ];
    cases.extend(grpc_server_errors.map(|status| (System::GRPC, status, true, true)));
    cases.extend(grpc_others.map(|status| (System::GRPC, status, true, false)));
    for (system, status, client_error, server_error) in cases {
        let (telemetry, collector) = collected("orders");
        let rpc: Rpc = telemetry.rpc(system);
        rpc.client(PLACE).start().finish(status);
        rpc.server(PLACE).start(&Metadata::new()).finish(status);
        let spans = collector.spans().await;
        for (span, error) in spans.iter().zip([client_error, server_error]) {
            assert_eq!(
                span.is_error(),
                error,
                "{system:?} {:?} {status}",
                span.kind
            );
            assert_eq!(span.text("error.type"), error.then_some(status));
            let said = span.text("rpc.response.status_code");
            assert_eq!(said, (!status.is_empty()).then_some(status));
        }
    }
}

#[tokio::test]
async fn a_method_that_nobody_knows_names_nothing() {
    let (telemetry, collector) = collected("orders");
    let rpc = telemetry.rpc(System::GRPC);
    for at in 0..100 {
        let name = format!("evil/{at}");
        let call = rpc.server(Method::Unknown(&name)).start(&Metadata::new());
        call.finish("UNIMPLEMENTED");
    }
    let spans = collector.spans().await;
    assert_eq!(spans[7].name, "grpc");
    assert_eq!(spans[7].text("rpc.method"), Some("_OTHER"));
    assert_eq!(spans[7].text("rpc.method_original"), Some("evil/7"));
    let page = telemetry.metrics_page(None).body;
    let series: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("rpc_server_call_duration_seconds_count"))
        .collect();
    assert_eq!(series.len(), 1);
    assert!(series[0].contains("rpc_method=\"_OTHER\"") && series[0].ends_with(" 100"));
}

#[tokio::test]
async fn without_a_status_the_error_is_named() {
    let (telemetry, collector) = collected("shop");
    let rpc = telemetry.rpc(System::GRPC);
    rpc.client(PLACE).start().fail("connection_refused");
    drop(rpc.client(PLACE).start());
    let spans = collector.spans().await;
    let errors: Vec<_> = spans.iter().map(|span| span.text("error.type")).collect();
    assert_eq!(errors, [Some("connection_refused"), Some("cancelled")]);
    assert!(
        spans
            .iter()
            .all(|span| span.text("rpc.response.status_code").is_none())
    );
}
