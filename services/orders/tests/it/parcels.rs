//! What shipping says of a parcel is in the order's log.

use orders::Orders;
use serde_json::{Value, json};
use testing::{Feed, Process, Running, Town, eventually};
use uuid::Uuid;

use crate::peers::Mood::Refuses;
use crate::peers::Peers;
use crate::shop::{MINA, Shop, ended, get, place, published, settings, start};

const PROGRAM: &str = env!("CARGO_BIN_EXE_citywatch-orders");
const DISPATCHED: &str = "shipping.ShipmentDispatched.v1";
const DELIVERED: &str = "shipping.ShipmentDelivered.v1";

struct Yard {
    shop: Shop,
    shipping: Feed,
}

fn with_shipping(peers: &Peers, shipping: &Feed) -> Value {
    let mut instances = json!(peers.addresses);
    instances["shipping"] = json!([shipping.address()]);
    json!({ "instances": instances, "events_backoff_ms": 10 })
}

async fn open() -> Yard {
    let (town, peers) = (Town::new(), Peers::start().await);
    let mug = peers.product(12_900, 100);
    let shipping = Feed::open(&town, "shipping").await;
    let service = start(&town, &peers, with_shipping(&peers, &shipping)).await;
    let shop = Shop {
        service,
        peers,
        mug,
    };
    Yard { shop, shipping }
}

/// Shipping says this of an order's parcel, whose id it gives.
fn say(shipping: &Feed, kind: &str, order: &Value) -> Uuid {
    let shipment = Uuid::now_v7();
    let body = json!({ "shipment_id": shipment, "order_id": order["id"], "member_id": MINA,
        "at": app::Timestamp::now() });
    shipping.publish(kind, order["id"].as_str().unwrap(), &body);
    shipment
}

async fn status(service: &Running, order: &Value, status: &str) -> Value {
    let path = format!("/api/orders/{}", order["id"].as_str().unwrap());
    eventually(&format!("the order is {status}"), async || {
        let order: Value = get(service, MINA, &path).await.json().await.unwrap();
        (order["status"] == status).then_some(order)
    })
    .await
}

#[tokio::test]
async fn an_order_is_shipped_and_delivered_when_its_parcel_is() {
    let Yard { shop, shipping } = open().await;
    let order = shop.ordered("k").await;
    let shipment = say(&shipping, DISPATCHED, &order);
    let shipped = status(&shop.service, &order, "shipped").await;
    assert_eq!(shipped["total"], order["total"]);
    assert_ne!(shipped["updated_at"], order["updated_at"]);
    say(&shipping, DELIVERED, &order);
    let delivered = status(&shop.service, &order, "delivered").await;

    let history = shop.history(&order).await;
    let events = ["placed", "reserved", "charged", "confirmed", "shipped"];
    assert_eq!(history, [&events[..], &["delivered"]].concat());
    let path = format!("/api/orders/{}/history", order["id"].as_str().unwrap());
    let log: Value = shop.get(&path).await.json().await.unwrap();
    assert_eq!(log["items"][4]["shipment_id"], shipment.to_string());
    let list: Value = shop.get("/api/orders").await.json().await.unwrap();
    assert_eq!(list["items"], json!([delivered]));
    // Whoever asks again under its key is told what was answered first.
    let again = place(&shop.service, MINA, "k").send().await.unwrap();
    assert_eq!(again.status(), 201);
    assert_eq!(again.json::<Value>().await.unwrap(), order);
    // Nothing more is told of it: shipping has said it.
    assert_eq!(published(&shop.service).await.len(), 1);
}

#[tokio::test]
async fn what_is_said_twice_or_out_of_order_is_in_the_log_once() {
    let Yard { shop, shipping } = open().await;
    let order = shop.ordered("k1").await;
    let body = json!({ "shipment_id": Uuid::now_v7(), "order_id": order["id"] });
    let subject = order["id"].as_str().unwrap();
    for kind in [DISPATCHED, DISPATCHED, DELIVERED, DISPATCHED, DELIVERED] {
        shipping.publish(kind, subject, &body);
    }
    // Of another the leaving was never told.
    let other = shop.ordered("k2").await;
    say(&shipping, DELIVERED, &other);
    status(&shop.service, &other, "delivered").await;

    status(&shop.service, &order, "delivered").await;
    let history = shop.history(&order).await;
    assert_eq!(history[3..], ["confirmed", "shipped", "delivered"]);
    assert_eq!(shop.history(&other).await[3..], ["confirmed", "delivered"]);
}

#[tokio::test]
async fn a_parcel_of_an_order_that_is_none_is_put_aside_and_others_go_on() {
    let Yard { shop, shipping } = open().await;
    shop.peers
        .next("charge", &[Refuses(402, "payment_declined")]);
    let cancelled = shop.ordered("k1").await;
    say(&shipping, DISPATCHED, &cancelled);
    say(&shipping, DISPATCHED, &json!({ "id": Uuid::now_v7() }));
    let order = shop.ordered("k2").await;
    say(&shipping, DISPATCHED, &order);
    status(&shop.service, &order, "shipped").await;

    let dead = eventually("both are dead letters", async || {
        let url = format!("{}/inner/v1/events/dead", shop.service.url);
        let request = shop.service.http.get(url);
        let request = request.bearer_auth(shop.service.town().operator_token());
        let page: Value = request.send().await.unwrap().json().await.unwrap();
        let dead = page["items"].as_array().unwrap().clone();
        let all = dead.iter().filter(|letter| letter["state"] == "dead");
        (all.count() == 2).then_some(dead)
    })
    .await;
    let reasons: Vec<_> = dead
        .iter()
        .map(|letter| letter["reason"].as_str())
        .collect();
    assert!(reasons.contains(&Some("a parcel of an order that is cancelled")));
    assert!(reasons.contains(&Some("a parcel of no order")));
    let cancelled = status(&shop.service, &cancelled, "cancelled").await;
    assert_eq!(shop.history(&cancelled).await.last().unwrap(), "cancelled");
}

#[tokio::test]
async fn what_shipping_says_is_written_in_the_trace_in_which_it_is_said() {
    let Yard { shop, shipping } = open().await;
    let order = shop.ordered("k").await;
    let trace = telemetry::context::TraceId::random();
    let body = json!({ "shipment_id": Uuid::now_v7(), "order_id": order["id"] });
    let subject = order["id"].as_str().unwrap();
    let sent = shipping.publish_in(trace, DISPATCHED, subject, &body);
    status(&shop.service, &order, "shipped").await;
    let spans = eventually("it is written", async || {
        let mut spans = shop.service.spans().await;
        spans.retain(|span| span.trace_id == trace);
        (!spans.is_empty()).then_some(spans)
    })
    .await;
    let tree = telemetry::testing::Tree::under(sent.sent_by.span_id, spans);
    tree.assert_shape(
        "orders process shipping
           orders BEGIN
           orders UPDATE event_cursors
           orders SELECT order_events
           orders INSERT order_events
           orders COMMIT",
    );
    tree.assert_no_error();
}

/// Each side of the commit that holds the log's event and the cursor.
#[tokio::test]
async fn a_death_around_the_commit_writes_it_once() {
    for point in ["shipping.before_commit", "shipping.after_commit"] {
        let (town, peers) = (Town::new(), Peers::start().await);
        let mug = peers.product(12_900, 100);
        let shipping = Feed::open(&town, "shipping").await;
        let overrides = settings(&peers, &with_shipping(&peers, &shipping));
        let first = Process::start(town.command::<Orders>(PROGRAM, &overrides)).await;
        let request = first
            .http
            .put(format!("{}/faults/{point}", first.admin_url));
        let kill = json!({ "action": "kill", "lease_ms": 60_000 });
        let request = request.bearer_auth(town.operator_token()).json(&kill);
        assert_eq!(request.send().await.unwrap().status(), 200, "{point}");
        peers.fill_cart(MINA, &[(mug, 2)]);
        let request = first.http.post(format!("{}/api/orders", first.url));
        let request = request.bearer_auth(town.member_token(MINA, &[]));
        let placed = request.header("idempotency-key", "k").send().await.unwrap();
        let order: Value = placed.json().await.unwrap();
        assert_eq!(order["status"], "confirmed");
        say(&shipping, DISPATCHED, &order);
        let end = first.ended().await;
        assert!(end.status.code().is_none(), "{point}: {}", end.status);

        let service = start(&town, &peers, with_shipping(&peers, &shipping)).await;
        say(&shipping, DELIVERED, &order);
        status(&service, &order, "delivered").await;
        assert_eq!(ended(&service, &order).await["status"], "delivered");
        let shop = Shop {
            service,
            peers,
            mug,
        };
        let history = shop.history(&order).await;
        assert_eq!(
            history[3..],
            ["confirmed", "shipped", "delivered"],
            "{point}"
        );
    }
}
