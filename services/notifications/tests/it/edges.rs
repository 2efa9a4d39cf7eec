//! One test for each asynchronous edge: an event is told once, in the trace that it came in.

use notifications::Notifications;
use serde_json::{Value, json};
use telemetry::testing::{Kind, Span};
use testing::{Feed, Published, Running, Traced, eventually};

use crate::city::{City, Shopper, id, is_sent, metric};

/// An event that is told as this.
struct Case<'a> {
    feed: &'a Feed,
    event: &'a str,
    more: Value,
    kind: &'a str,
    ko: &'a str,
    en: &'a str,
}

impl Case<'_> {
    async fn is_told(&self, city: &City, service: &Running) {
        let shopper = city.member(service).await;
        let order = id();
        let mut body = json!({ "order_id": order, "member_id": shopper.id });
        for (key, value) in self.more.as_object().unwrap() {
            body[key] = value.clone();
        }
        let event = self.feed.publish(self.event, &order, &body);
        let told = city
            .notification(service, (self.kind, &order), is_sent)
            .await;
        assert_eq!(told["member_id"], shopper.id);
        assert_eq!(told["attempts"], 1);
        let own = city.told(service, &shopper).await;
        assert_eq!(own[0]["kind"], self.kind, "newest first: {own:?}");
        assert_eq!(own[0]["text"], json!({ "ko": self.ko, "en": self.en }));
        assert_eq!(own[1]["kind"], "welcome");
        assert_is_one_trace(service, &event, self.kind).await;

        // Another event about the same tells nothing new.
        self.feed.publish(self.event, &order, &body);
        let (last, _) = city.confirms(&shopper);
        let last = ("order_confirmed", &*last);
        city.notification(service, last, is_sent).await;
        let next = id();
        body["order_id"] = next.clone().into();
        self.feed.publish(self.event, &next, &body);
        city.notification(service, (self.kind, &next), is_sent)
            .await;
        let own = city.told(service, &shopper).await;
        let about = own.iter().filter(|one| one["about"] == order);
        assert_eq!(about.count(), 1, "{own:?}");
    }
}

/// The event, what was done about it and the sending hang together.
async fn assert_is_one_trace(service: &Running, event: &Published, kind: &str) {
    let of_trace = async || -> Vec<Span> {
        let mut spans = service.spans().await;
        spans.retain(|span| span.trace_id == event.sent_by.trace_id);
        spans
    };
    let (process, send) = eventually("the sending has ended", async || {
        let spans = of_trace().await;
        let find = |name: &str| spans.iter().find(|span| span.name == name).cloned();
        let process = spans
            .iter()
            .find(|span| span.kind == Kind::Consumer)
            .cloned();
        Some((process?, find("send notification")?))
    })
    .await;
    assert_eq!(process.parent_span_id, Some(event.sent_by.span_id));
    assert_eq!(send.parent_span_id, Some(process.span_id));
    assert_eq!(send.text("citywatch.notification.kind"), Some(kind));
    assert_eq!(send.text("citywatch.notification.sender"), Some("log"));
    assert_eq!(send.number("citywatch.notification.attempt"), Some(1));
    assert!(send.number("citywatch.notification.queue_ms").is_some());
}

#[tokio::test]
async fn members_are_told_of_orders() {
    let city = City::open().await;
    let service = city.start(&json!({})).await;
    let confirmed = Case {
        feed: &city.orders,
        event: "orders.OrderConfirmed.v1",
        more: json!({ "items": [], "total": { "amount": 12_900, "currency": "KRW" } }),
        kind: "order_confirmed",
        ko: "Mina Kim님, 주문이 확정되었습니다. 결제 금액: 12,900원.",
        en: "Dear Mina Kim, your order is confirmed. Paid: KRW 12,900.",
    };
    confirmed.is_told(&city, &service).await;
    let cancelled = Case {
        feed: &city.orders,
        event: "orders.OrderCancelled.v1",
        more: json!({ "reason": "out_of_stock", "total": { "amount": 1, "currency": "EUR" } }),
        kind: "order_cancelled",
        ko: "Mina Kim님, 주문이 취소되었습니다.",
        en: "Dear Mina Kim, your order is cancelled.",
    };
    cancelled.is_told(&city, &service).await;
    assert_eq!(
        metric(&service, "sends_total{outcome=\"put_off\"}").await,
        0.0
    );
}

#[tokio::test]
async fn members_are_told_of_money_that_goes_back() {
    let city = City::open().await;
    let service = city.start(&json!({})).await;
    // It was taken before; that is the order's story.
    let captured = json!({
        "order_id": id(), "member_id": id(), "amount": { "amount": 1_005, "currency": "USD" },
    });
    city.payments
        .publish("payments.PaymentCaptured.v1", &id(), &captured);
    let refunded = Case {
        feed: &city.payments,
        event: "payments.PaymentRefunded.v1",
        more: json!({ "amount": { "amount": 1_005, "currency": "USD" } }),
        kind: "payment_refunded",
        ko: "Mina Kim님, 환불이 완료되었습니다. 환불 금액: 10.05달러.",
        en: "Dear Mina Kim, your payment is refunded. Refunded: USD 10.05.",
    };
    refunded.is_told(&city, &service).await;
}

#[tokio::test]
async fn members_are_told_where_their_parcels_are() {
    let city = City::open().await;
    let service = city.start(&json!({})).await;
    let parcel = || json!({ "shipment_id": id(), "at": "2026-11-21T22:00:00.000000Z" });
    let dispatched = Case {
        feed: &city.shipping,
        event: "shipping.ShipmentDispatched.v1",
        more: parcel(),
        kind: "shipment_dispatched",
        ko: "Mina Kim님, 상품이 발송되었습니다.",
        en: "Dear Mina Kim, your parcel is on its way.",
    };
    dispatched.is_told(&city, &service).await;
    let delivered = Case {
        feed: &city.shipping,
        event: "shipping.ShipmentDelivered.v1",
        more: parcel(),
        kind: "shipment_delivered",
        ko: "Mina Kim님, 상품이 배송되었습니다.",
        en: "Dear Mina Kim, your parcel has arrived.",
    };
    delivered.is_told(&city, &service).await;
}

#[tokio::test]
async fn members_are_welcomed_once() {
    let city = City::open().await;
    let service = city.start(&json!({})).await;
    let shopper = Shopper { id: id() };
    let event = city.registers(&shopper);
    let welcome = ("welcome", &*shopper.id);
    city.notification(&service, welcome, is_sent).await;
    assert_is_one_trace(&service, &event, "welcome").await;
    city.registers(&shopper);
    city.member(&service).await;
    let own = city.told(&service, &shopper).await;
    let ko = "Mina Kim님, 가입을 환영합니다.";
    let text = json!({ "ko": ko, "en": "Dear Mina Kim, welcome to Citywatch." });
    assert_eq!(own.len(), 1, "{own:?}");
    assert_eq!(own[0]["text"], text);
    assert_eq!(own[0]["about"], shopper.id);
    assert_eq!(
        metric(&service, "written_total{kind=\"welcome\"}").await,
        2.0
    );
}

/// Orders and members come by different ways: the order may be there first.
#[tokio::test]
async fn whoever_is_not_known_yet_is_told_without_a_name() {
    let city = City::open().await;
    let service = city.start(&json!({})).await;
    let shopper = Shopper { id: id() };
    let (order, _) = city.confirms(&shopper);
    let confirmed = ("order_confirmed", &*order);
    city.notification(&service, confirmed, is_sent).await;
    let own = city.told(&service, &shopper).await;
    let en = "Your order is confirmed. Paid: KRW 12,900.";
    assert_eq!(own[0]["text"]["en"], en);
}

#[tokio::test]
async fn each_call_is_one_tree_below_its_callers_span() {
    let city = City::open().await;
    let service = city.start(&json!({})).await;
    let shopper = city.member(&service).await;
    let own = service
        .http
        .get(format!("{}/api/notifications", service.url));
    let own = own.bearer_auth(city.town.member_token(&shopper.id, &[]));
    let all = service
        .http
        .get(format!("{}/inner/v1/notifications", service.url));
    let all = all.bearer_auth(city.town.operator_token());
    for (request, shape) in [
        (
            own,
            "notifications GET /api/notifications
               notifications SELECT notifications",
        ),
        (
            all,
            "notifications GET /inner/v1/notifications
               notifications SELECT notifications",
        ),
    ] {
        let traced: Traced = service.traced(request).await;
        traced.assert(200, shape);
    }
    let shown = format!("{:?}", service.spans().await);
    assert!(!shown.contains(crate::city::ADDRESS), "{shown}");
    assert_eq!(<Notifications as app::Service>::NAME, "notifications");
}

/// Two instances on one store: each event is told by one of them, and sent by one.
#[tokio::test]
async fn two_instances_tell_and_send_each_once() {
    let city = City::open().await;
    let settings = json!({});
    let (one, other) = tokio::join!(city.start(&settings), city.start(&settings));
    let shopper = city.member(&one).await;
    for _ in 0..20 {
        city.confirms(&shopper);
    }
    eventually("all are sent", async || {
        let all = city.all(&other.http, &other.url).await;
        (all.len() == 21 && all.iter().all(is_sent)).then_some(())
    })
    .await;
    let sent = "sends_total{outcome=\"sent\"}";
    assert_eq!(metric(&one, sent).await + metric(&other, sent).await, 21.0);
    let written = "written_total{kind=\"order_confirmed\"}";
    assert_eq!(
        metric(&one, written).await + metric(&other, written).await,
        20.0
    );
}

#[tokio::test]
async fn a_long_list_is_read_page_by_page() {
    let city = City::open().await;
    let service = city.start(&json!({ "page_size": 3 })).await;
    let shopper = city.member(&service).await;
    let mut orders = Vec::new();
    for _ in 0..7 {
        let (order, _) = city.confirms(&shopper);
        let confirmed = ("order_confirmed", &*order);
        city.notification(&service, confirmed, is_sent).await;
        orders.push(order);
    }
    let token = city.town.member_token(&shopper.id, &[]);
    let mut read = Vec::new();
    let mut cursor = String::new();
    loop {
        let url = format!("{}/api/notifications?{cursor}", service.url);
        let answer = service.http.get(url).bearer_auth(&token).send().await;
        let page: Value = answer.unwrap().json().await.unwrap();
        let items = page["items"].as_array().unwrap();
        assert!((1..=3).contains(&items.len()), "{page}");
        read.extend(
            items
                .iter()
                .map(|item| item["about"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("cursor={next}"),
            None => break,
        }
    }
    orders.reverse();
    orders.push(shopper.id);
    assert_eq!(read, orders);
}
