use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{SchemaError, breaches, needed, of, promised, unsatisfied};
use crate::Body;

#[derive(serde::Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its form matters")]
enum Reason {
    OutOfStock,
    Declined,
}

#[derive(serde::Serialize, ToSchema)]
struct Item {
    product_id: String,
    quantity: u32,
}

#[derive(serde::Serialize, ToSchema)]
struct Cancelled {
    order_id: String,
    reason: Reason,
    note: Option<String>,
    first: Option<Item>,
    items: Vec<Item>,
}

impl Body for Cancelled {
    const TYPE: &'static str = "orders.OrderCancelled.v1";
}

fn promise() -> Value {
    of::<Cancelled>(Cancelled::TYPE)
}

fn changed(path: &str, to: Value) -> Value {
    let mut schema = promise();
    *schema.pointer_mut(path).expect(path) = to;
    schema
}

#[test]
fn a_schema_is_complete_in_itself() {
    let schema = promise();
    assert_eq!(schema["title"], "orders.OrderCancelled.v1");
    assert_eq!(
        schema["$defs"]["Reason"]["enum"],
        json!(["out_of_stock", "declined"])
    );
    assert!(!schema.to_string().contains("#/components"), "{schema:#}");
    assert_eq!(schema["required"], json!(["order_id", "reason", "items"]));
}

#[test]
fn whoever_reads_by_the_old_one_reads_the_new_one() {
    assert_eq!(breaches(&promise(), &promise()), Vec::<String>::new());
    let mut more = promise();
    more["properties"]["member_id"] = json!({ "type": "string" });
    more["required"] = json!(["order_id", "reason", "items", "member_id", "note"]);
    more["$defs"]["Reason"]["enum"] = json!(["declined"]);
    more["$defs"]["Item"]["properties"]["quantity"]["minimum"] = json!(1);
    assert_eq!(breaches(&more, &promise()), Vec::<String>::new());
}

#[test]
fn what_a_reader_would_stumble_over_is_told() {
    let mut fewer = promise();
    fewer["properties"].as_object_mut().unwrap().remove("note");
    for (now, expected) in [
        (fewer, "note is not there"),
        (
            changed("/required", json!(["order_id", "items"])),
            "reason can be left out",
        ),
        (
            changed("/properties/order_id/type", json!("integer")),
            "order_id is [\"integer\"], was [\"string\"]",
        ),
        (
            changed("/properties/order_id/type", json!(["string", "null"])),
            "order_id is [\"string\", \"null\"], was [\"string\"]",
        ),
        (
            changed("/$defs/Reason/enum", json!(["declined", "bored"])),
            "reason can be \"bored\", which it could not",
        ),
        (
            changed("/$defs/Item/properties/quantity/format", json!("int64")),
            "items[].quantity has the format `int64`, had `int32`",
        ),
        (
            changed("/$defs/Item/properties/quantity/minimum", json!(-1)),
            "items[].quantity has a wider `minimum`",
        ),
        (
            changed("/$defs/Item/required", json!(["quantity"])),
            "items[].product_id can be left out",
        ),
        (
            changed("/properties/items/items", json!({ "type": "string" })),
            "items[] is [\"string\"], was [\"object\"]",
        ),
        (
            changed("/properties/first", json!({ "type": "string" })),
            "first can take a form that it could not",
        ),
    ] {
        let found = breaches(&now, &promise());
        assert!(
            found.contains(&expected.to_owned()),
            "{expected}: {found:?}"
        );
    }
}

#[test]
fn a_promise_is_kept_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    let missing = promised::<Cancelled>(dir).unwrap_err();
    assert!(matches!(missing, SchemaError::Outdated(_)), "{missing}");

    let events = folder.path().join("events");
    std::fs::create_dir_all(&events).unwrap();
    let keep =
        |schema: &Value| std::fs::write(events.join("OrderCancelled.v1.json"), schema.to_string());
    keep(&promise()).unwrap();
    promised::<Cancelled>(dir).unwrap();

    keep(&changed("/required", json!(["order_id"]))).unwrap();
    let stale = promised::<Cancelled>(dir).unwrap_err();
    assert!(matches!(stale, SchemaError::Outdated(_)), "{stale}");

    keep(&changed("/required", json!(["order_id", "note"]))).unwrap();
    let broken = promised::<Cancelled>(dir).unwrap_err();
    assert!(
        broken.to_string().contains("note can be left out"),
        "{broken}"
    );
    assert!(broken.to_string().contains("another version"), "{broken}");
}

#[test]
fn every_need_is_held_against_the_promise() {
    #[derive(ToSchema)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Told {
        order_id: String,
        reason: String,
    }
    #[derive(ToSchema)]
    #[expect(dead_code, reason = "only its form matters")]
    struct Greedy {
        order_id: String,
        note: String,
        member_id: String,
    }
    let city = tempfile::tempdir().unwrap();
    let file = |path: &str, schema: Value| {
        let path = city.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, schema.to_string()).unwrap();
    };
    let kind = Cancelled::TYPE;
    file("orders/events/OrderCancelled.v1.json", promise());
    file(
        "notifications/events/needs/orders.OrderCancelled.v1.json",
        of::<Told>(kind),
    );
    assert_eq!(unsatisfied(city.path()).unwrap(), Vec::<String>::new());
    let dir = city.path().join("notifications");
    needed::<Told>(dir.to_str().unwrap(), kind).unwrap();
    assert!(needed::<Greedy>(dir.to_str().unwrap(), kind).is_err());

    file(
        "shipping/events/needs/orders.OrderCancelled.v1.json",
        of::<Greedy>(kind),
    );
    file("shipping/events/needs/orders.OrderLost.v1.json", json!({}));
    let complaints = unsatisfied(city.path()).unwrap();
    let expected = [
        "shipping: orders.OrderCancelled.v1.json: member_id is not there",
        "shipping: orders.OrderCancelled.v1.json: note can be left out",
        "shipping: orders.OrderCancelled.v1.json: note is [\"string\", \"null\"], was [\"string\"]",
        "shipping: orders.OrderLost.v1.json: orders promises no such event",
    ];
    assert_eq!(complaints, expected);
}
