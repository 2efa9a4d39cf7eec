//! Messages across a hop, by the conventions' requirement levels.

use crate::collected;
use std::collections::BTreeMap;
use std::time::Duration;
use telemetry::context::{self, TraceId};
use telemetry::testing::{Kind, Span, Status, Tree, Value};
use telemetry::{Baggage, Service, SpanContext, Telemetry};

type Message = BTreeMap<String, String>;

fn said(span: &Span) -> Vec<String> {
    let show = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let attributes = span.attributes.iter();
    attributes
        .map(|(key, value)| format!("{key}={}", show(value)))
        .collect()
}

fn page(telemetry: &Telemetry, start: &str) -> Vec<String> {
    let page = telemetry.metrics_page(None).body;
    let lines = page.lines().filter_map(|line| line.strip_prefix(start));
    lines
        .filter(|line| line.starts_with('{'))
        .map(str::to_owned)
        .collect()
}

fn links(span: &Span) -> Vec<(TraceId, context::SpanId)> {
    span.links
        .iter()
        .map(|link| (link.trace_id, link.span_id))
        .collect()
}

#[tokio::test]
async fn one_message_is_one_trace_and_a_link() {
    let (shop, collector) = collected("shop");
    let billing = Telemetry::builder(Service::new("billing", "0"))
        .exporter(collector.exporter())
        .without_subscriber()
        .build()
        .unwrap();
    let orders = shop
        .messaging("kafka")
        .server("broker", 9092)
        .destination("orders");
    let mut message = Message::new();
    let request = shop
        .span("request")
        .baggage(Baggage::parse("member=ada"))
        .start();
    request
        .in_scope(async {
            let send = orders
                .send("publish")
                .message_id("17")
                .conversation_id("c")
                .partition("2");
            let mut send = send.body_size(300).start();
            send.inject(&mut message);
            send.finish();
        })
        .await;
    drop(request);
    let keys: Vec<_> = message.keys().map(String::as_str).collect();
    assert_eq!(keys, ["baggage", "traceparent"]);

    let here = billing
        .messaging("kafka")
        .server("broker", 9092)
        .destination("orders");
    let process = here
        .process("process")
        .group("billing")
        .message(&message)
        .message_id("17");
    let process = process.queued_for(Duration::from_millis(1500)).start();
    process
        .in_scope(async {
            billing.span("book").start().end();
            assert_eq!(context::baggage().get("member"), Some("ada"));
        })
        .await;
    process.finish();

    let tree = Tree::one(collector.spans().await);
    tree.assert_shape(
        "shop request
           shop publish orders
             billing process orders
               billing book",
    );
    let sent = tree.span("publish orders");
    assert_eq!(sent.kind, Kind::Producer);
    assert_eq!(
        said(sent),
        [
            "messaging.destination.name=orders",
            "messaging.destination.partition.id=2",
            "messaging.message.body.size=300",
            "messaging.message.conversation_id=c",
            "messaging.message.id=17",
            "messaging.operation.name=publish",
            "messaging.operation.type=send",
            "messaging.system=kafka",
            "server.address=broker",
            "server.port=9092",
        ]
    );
    let worked = tree.span("process orders");
    assert_eq!(worked.kind, Kind::Consumer);
    assert_eq!(worked.flags, 0x303, "the parent is remote");
    assert_eq!(links(worked), [(sent.trace_id, sent.span_id)]);
    assert_eq!(
        said(worked),
        [
            "citywatch.messaging.queue.duration=Double(1.5)",
            "messaging.consumer.group.name=billing",
            "messaging.destination.name=orders",
            "messaging.message.id=17",
            "messaging.operation.name=process",
            "messaging.operation.type=process",
            "messaging.system=kafka",
            "server.address=broker",
            "server.port=9092",
        ]
    );

    let labels = |operation: &str, kind: &str, group: &str| {
        format!(
            "{{messaging_operation_name=\"{operation}\",messaging_operation_type=\"{kind}\",\
             messaging_system=\"kafka\",messaging_destination_name=\"orders\",{group}\
             server_address=\"broker\",server_port=\"9092\"}} 1"
        )
    };
    let group = "messaging_consumer_group_name=\"billing\",";
    let (sent, worked) = (
        labels("publish", "send", ""),
        labels("process", "process", group),
    );
    for (telemetry, metric, expected) in [
        (
            &shop,
            "messaging_client_operation_duration_seconds_count",
            &[&sent][..],
        ),
        (&shop, "messaging_client_sent_messages_total", &[&sent]),
        (&shop, "messaging_client_consumed_messages_total", &[]),
        (
            &billing,
            "messaging_process_duration_seconds_count",
            &[&worked],
        ),
        (
            &billing,
            "messaging_client_consumed_messages_total",
            &[&worked],
        ),
        (
            &billing,
            "messaging_client_operation_duration_seconds_count",
            &[],
        ),
        (
            &billing,
            "citywatch_messaging_queue_duration_seconds_count",
            &[&worked],
        ),
    ] {
        let found = page(telemetry, metric);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{metric}");
    }
}

#[tokio::test]
async fn within_a_request_the_request_is_the_parent_unless_it_is_told_otherwise() {
    let (telemetry, collector) = collected("billing");
    let orders = telemetry.messaging("kafka").destination("orders");
    let mut message = Message::new();
    let mut send = orders.send("send").start();
    send.inject(&mut message);
    let creation = send.span().context();
    send.finish();
    let request = telemetry.span("request").start();
    let around = request.context();
    {
        let _scope = request.enter();
        orders.process("process").message(&message).start().finish();
        orders
            .process("handle")
            .message(&message)
            .child_of_message()
            .start()
            .finish();
    }
    drop(request);
    let spans = collector.spans().await;
    let get = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    let ids = |context: &SpanContext| (context.trace_id, context.span_id);
    let process = get("process orders");
    assert_eq!(
        (process.trace_id, process.parent_span_id),
        (around.trace_id, Some(around.span_id))
    );
    assert_eq!(links(process), [ids(&creation)]);
    let handle = get("handle orders");
    let expected = (creation.trace_id, Some(creation.span_id));
    assert_eq!((handle.trace_id, handle.parent_span_id), expected);
    assert_eq!(links(handle), [ids(&creation), ids(&around)]);
}

#[tokio::test]
async fn batches_have_links_only() {
    let (telemetry, collector) = collected("shop");
    let orders = telemetry.messaging("rabbitmq").destination("orders");
    let mut messages = vec![Message::new(), Message::new()];
    let mut send = orders.send_batch("send", 2);
    let mut creations = Vec::new();
    for (id, message) in ["a", "b"].iter().zip(&mut messages) {
        let mut create = orders.create("create").message_id(id).start();
        create.inject(message);
        creations.push(create.span().context());
        send = send.created(create.span().context());
        create.finish();
    }
    send.start().finish();
    let mut receive = orders.receive("poll").group("billing").start();
    for message in &messages {
        receive.received(message);
    }
    receive.finish();
    let process = orders.process("process").batch(&messages).received_before();
    process.start().finish();
    orders
        .settle("ack")
        .batch(2)
        .message(&messages[0])
        .start()
        .finish();
    orders.receive("poll").group("billing").start().finish();

    let spans = collector.spans().await;
    let both: Vec<_> = creations
        .iter()
        .map(|one| (one.trace_id, one.span_id))
        .collect();
    for (name, kind, count, expected) in [
        ("send orders", Kind::Client, 2, &both[..]),
        ("process orders", Kind::Consumer, 2, &both),
        ("ack orders", Kind::Client, 2, &both[..1]),
    ] {
        let span = spans.iter().find(|span| span.name == name).unwrap();
        assert_eq!((span.kind, span.parent_span_id), (kind, None), "{name}");
        assert_eq!(
            span.number("messaging.batch.message_count"),
            Some(count),
            "{name}"
        );
        assert_eq!(links(span), expected, "{name}");
    }
    let polls: Vec<_> = spans
        .iter()
        .filter(|span| span.name == "poll orders")
        .collect();
    assert_eq!(links(polls[0]), both);
    let count = |span: &Span| span.number("messaging.batch.message_count");
    assert_eq!((count(polls[0]), count(polls[1])), (Some(2), Some(0)));
    let creates: Vec<_> = spans
        .iter()
        .filter(|span| span.name == "create orders")
        .collect();
    assert!(
        creates
            .iter()
            .all(|span| span.kind == Kind::Producer && count(span).is_none())
    );

    let last = |metric| -> Vec<_> {
        let lines = page(&telemetry, metric).into_iter();
        lines
            .filter_map(|line| line.rsplit_once(' ').map(|(_, count)| count.to_owned()))
            .collect()
    };
    assert_eq!(last("messaging_client_sent_messages_total"), ["2"]);
    assert_eq!(
        last("messaging_client_consumed_messages_total"),
        ["2"],
        "once for a delivery"
    );
    // Making a message is no call of the broker: send, ack, and poll twice are.
    let calls = last("messaging_client_operation_duration_seconds_count");
    assert_eq!(
        calls
            .iter()
            .map(|count| count.parse::<u32>().unwrap())
            .sum::<u32>(),
        4
    );
}

#[tokio::test]
async fn a_context_that_a_message_has_stays() {
    let (telemetry, collector) = collected("shop");
    let orders = telemetry.messaging("kafka").destination("orders");
    let own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut message = Message::from([("traceparent".to_owned(), own.to_owned())]);
    let mut send = orders.send("send").start();
    send.inject(&mut message);
    send.finish();
    assert_eq!(message["traceparent"], own);
    let spans = collector.spans().await;
    assert_eq!(links(&spans[0])[0].1.to_string(), "b7ad6b7169203331");
}

#[tokio::test]
async fn names_that_are_many_name_no_series() {
    let (telemetry, collector) = collected("shop");
    let messaging = telemetry.messaging("rabbitmq").server("broker", 5672);
    for id in 0..50 {
        let name = format!("/customers/{id}");
        let templated = messaging.templated("/customers/{id}", &name);
        templated.send("send").start().finish();
        messaging.temporary(&name).send("send").start().finish();
        messaging
            .anonymous(&name)
            .send("send")
            .start()
            .fail("refused");
    }
    messaging.destination("").send("send").start().finish();
    let spans = collector.spans().await;
    let names: Vec<_> = spans[..3].iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["send /customers/{id}", "send", "send"]);
    assert_eq!(
        spans[0].text("messaging.destination.name"),
        Some("/customers/0")
    );
    assert_eq!(
        spans[1].attributes["messaging.destination.temporary"],
        true.into()
    );
    assert_eq!(
        spans[2].attributes["messaging.destination.anonymous"],
        true.into()
    );
    assert_eq!(spans[2].status, Status::Error(String::new()));
    assert_eq!(spans[150].name, "send broker:5672");
    assert_eq!(
        page(&telemetry, "messaging_client_sent_messages_total").len(),
        3
    );
}
