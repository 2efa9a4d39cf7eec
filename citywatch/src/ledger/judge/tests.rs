//! A city in which all is well, and each way in which one thing is not.

use app::money::Currency;

use super::super::evidence::{Behind, Booked, Count, Message, Parcel, Stock};
use super::*;

const TOTAL: i64 = 12_900;

fn items(quantity: u64) -> Vec<Item> {
    vec![Item {
        product_id: "tea".to_owned(),
        quantity,
    }]
}

fn money() -> Money {
    Money {
        amount: TOTAL,
        currency: Currency::Krw,
    }
}

fn invoke(key: &str) -> Record {
    Record {
        items: items(2),
        ..Record::new(Op::Invoke, key)
    }
}

fn ok(key: &str, order: &str, status: &str) -> Record {
    Record {
        order_id: Some(order.to_owned()),
        status: Some(status.to_owned()),
        amount: Some(money()),
        items: items(2),
        trace: Some(format!("trace-of-{key}")),
        ..Record::new(Op::Ok, key)
    }
}

fn charge(order: &str) -> Booked {
    Booked {
        kind: Kind::Charge,
        reference: order.to_owned(),
        amount: TOTAL,
        currency: "KRW".to_owned(),
    }
}

fn refund(order: &str) -> Booked {
    Booked {
        kind: Kind::Refund,
        ..charge(order)
    }
}

fn claim(order: &str, state: Claim) -> Reservation {
    Reservation {
        order_id: order.to_owned(),
        state,
        items: items(2),
    }
}

fn stated(order: &str, status: &str) -> Stated {
    Stated {
        id: order.to_owned(),
        status: status.to_owned(),
        total: money(),
    }
}

fn shelf(on_hand: i64, held: i64, sold: i64) -> Stock {
    Stock {
        product_id: "tea".to_owned(),
        initial: 1000,
        adjusted: 0,
        on_hand,
        held,
        sold,
    }
}

fn parcel(order: &str, state: &str) -> Parcel {
    Parcel {
        order_id: order.to_owned(),
        state: state.to_owned(),
    }
}

fn message(kind: &str, about: &str) -> Message {
    Message {
        kind: kind.to_owned(),
        about: about.to_owned(),
    }
}

fn count(orders: u64) -> Count {
    Count {
        product_id: "tea".to_owned(),
        orders,
    }
}

fn behind(lag_events: u64) -> Behind {
    let consumer = serde_json::json!({
        "feed": "orders", "position": 10, "head": 10 + lag_events, "lag_events": lag_events,
        "lag_seconds": 0.0, "retrying": 0, "waiting": 0, "dead": 0, "stalled": null,
    });
    Behind {
        service: "notifications".to_owned(),
        consumer: serde_json::from_value(consumer).unwrap(),
    }
}

/// One order confirmed, one out of stock, one declined, one refused, one never answered of which
/// nothing came and one of which an order came.
fn well() -> Evidence {
    let info = |key: &str| Record::new(Op::Info, key);
    Evidence {
        journal: vec![
            invoke("a"),
            ok("a", "order-a", "pending"),
            ok("a", "order-a", "confirmed"),
            // The repeat is answered with what was stored first.
            invoke("a"),
            ok("a", "order-a", "pending"),
            invoke("b"),
            ok("b", "order-b", "cancelled"),
            invoke("c"),
            ok("c", "order-c", "cancelled"),
            invoke("d"),
            Record::new(Op::Fail, "d"),
            Record {
                items: items(5),
                ..invoke("e")
            },
            info("e"),
            invoke("f"),
            info("f"),
        ],
        book: vec![
            charge("order-a"),
            charge("order-c"),
            refund("order-c"),
            charge("order-f"),
        ],
        stock: vec![shelf(996, 0, 4)],
        reservations: vec![
            claim("order-a", Claim::Confirmed),
            claim("order-c", Claim::Released),
            claim("order-f", Claim::Confirmed),
        ],
        orders: vec![
            stated("order-a", "confirmed"),
            stated("order-b", "cancelled"),
            stated("order-c", "cancelled"),
            stated("order-f", "confirmed"),
        ],
        parcels: vec![
            parcel("order-a", "delivered"),
            parcel("order-f", "preparing"),
        ],
        messages: vec![
            message("welcome", "member"),
            message("order_confirmed", "order-a"),
            message("shipment_dispatched", "order-a"),
            message("shipment_delivered", "order-a"),
            message("order_cancelled", "order-b"),
            message("order_cancelled", "order-c"),
            message("payment_refunded", "order-c"),
            message("order_confirmed", "order-f"),
        ],
        counts: vec![count(2)],
        behind: vec![behind(0)],
    }
}

#[test]
fn a_city_in_which_all_is_well_is_clean_and_counted() {
    let verdict = judge(&well(), false);
    assert_eq!(verdict.violations, []);
    let counts = verdict.counts;
    assert_eq!(
        (
            counts.keys,
            counts.acknowledged,
            counts.failed,
            counts.unknown,
            counts.unknown_done
        ),
        (6, 3, 1, 2, 1)
    );
    assert_eq!((counts.confirmed, counts.cancelled), (2, 2));
    assert_eq!((counts.charges, counts.refunds, counts.sold), (3, 1, 4));
    assert_eq!(counts.taken["KRW"], 2 * TOTAL);
}

/// What is violated once `change` was done to a city in which all was well.
fn after(change: impl FnOnce(&mut Evidence)) -> Vec<(Invariant, String)> {
    let mut evidence = well();
    change(&mut evidence);
    let violations = judge(&evidence, false).violations;
    let seen = |violation: Violation| (violation.invariant, violation.subject);
    violations.into_iter().map(seen).collect()
}

#[track_caller]
fn found(violations: &[(Invariant, String)], invariant: Invariant, subject: &str) {
    let wanted = (invariant, subject.to_owned());
    assert!(violations.contains(&wanted), "{violations:?}");
}

#[test]
fn an_acknowledged_order_that_is_gone_is_lost() {
    let gone = after(|city| city.orders.retain(|order| order.id != "order-b"));
    assert_eq!(gone, [(Invariant::NoLost, "order-b".to_owned())]);
}

#[test]
fn a_confirmed_order_without_its_charge_is_lost_and_money_is_missing() {
    let unpaid = after(|city| city.book.retain(|line| line.reference != "order-a"));
    found(&unpaid, Invariant::NoLost, "order-a");
    found(&unpaid, Invariant::MoneyConserved, "KRW");
}

#[test]
fn a_confirmed_order_whose_goods_went_back_is_lost() {
    let unsold = after(|city| {
        city.reservations[0].state = Claim::Released;
        city.stock = vec![shelf(998, 0, 2)];
    });
    found(&unsold, Invariant::NoLost, "order-a");
    found(&unsold, Invariant::StockConserved, "tea");
}

#[test]
fn a_second_charge_is_a_duplicate_unless_it_was_given_back() {
    let twice = after(|city| city.book.push(charge("order-a")));
    found(&twice, Invariant::NoDuplicate, "order-a");
    found(&twice, Invariant::MoneyConserved, "KRW");
    let mut repaired = well();
    repaired.book.extend([charge("order-a"), refund("order-a")]);
    let verdict = judge(&repaired, false);
    assert_eq!(verdict.violations, []);
    assert_eq!(verdict.counts.surplus_refunded, 1);
}

#[test]
fn a_key_with_two_orders_and_an_order_with_two_keys_are_duplicates() {
    let two_orders = after(|city| {
        city.journal.push(ok("a", "order-z", "cancelled"));
        city.orders.push(stated("order-z", "cancelled"));
    });
    found(&two_orders, Invariant::NoDuplicate, "a");
    let two_keys = after(|city| {
        city.journal
            .extend([invoke("y"), ok("y", "order-a", "confirmed")]);
    });
    found(&two_keys, Invariant::NoDuplicate, "order-a");
}

#[test]
fn an_order_of_a_refused_key_is_a_phantom_and_a_stranger_only_if_told_so() {
    let phantom = |city: &mut Evidence| {
        city.book.push(charge("order-x"));
        city.reservations.push(claim("order-x", Claim::Confirmed));
        city.orders.push(stated("order-x", "confirmed"));
        city.stock = vec![shelf(994, 0, 6)];
        city.parcels.push(parcel("order-x", "preparing"));
        city.messages.push(message("order_confirmed", "order-x"));
        city.counts = vec![count(3)];
    };
    assert_eq!(
        after(phantom),
        [(Invariant::NoPhantom, "order-x".to_owned())]
    );
    let mut evidence = well();
    phantom(&mut evidence);
    let verdict = judge(&evidence, true);
    assert_eq!(verdict.violations, []);
    assert_eq!(verdict.counts.strangers, 1);
}

#[test]
fn a_charge_that_belongs_to_nothing_is_a_phantom_and_a_half() {
    let only_money = after(|city| {
        // Both unanswered keys have their order already.
        city.journal.retain(|record| record.key != "e");
        city.book.push(charge("order-x"));
    });
    found(&only_money, Invariant::NoPhantom, "order-x");
    found(&only_money, Invariant::AllOrNothing, "order-x");
    found(&only_money, Invariant::MoneyConserved, "KRW");
}

#[test]
fn a_cancelled_order_gives_its_money_back() {
    let kept = after(|city| city.book.retain(|line| line.kind == Kind::Charge));
    found(&kept, Invariant::MoneyConserved, "order-c");
    let wrong = after(|city| city.book[0].amount = 1);
    found(&wrong, Invariant::MoneyConserved, "order-a");
}

#[test]
fn goods_of_a_cancelled_order_are_not_sold() {
    let sold = after(|city| {
        city.reservations[1].state = Claim::Confirmed;
        city.stock = vec![shelf(994, 0, 6)];
    });
    found(&sold, Invariant::StockConserved, "order-c");
    found(&sold, Invariant::StockConserved, "tea");
}

#[test]
fn shelves_account_for_every_piece() {
    let missing = after(|city| city.stock = vec![shelf(995, 0, 4)]);
    assert_eq!(missing, [(Invariant::StockConserved, "tea".to_owned())]);
    let negative = after(|city| {
        city.stock = vec![Stock {
            initial: 2,
            ..shelf(-2, 0, 4)
        }];
    });
    assert_eq!(negative, [(Invariant::StockConserved, "tea".to_owned())]);
    let no_row = after(|city| city.stock.clear());
    assert_eq!(no_row, [(Invariant::StockConserved, "tea".to_owned())]);
    let other = after(|city| city.reservations[0].items = items(3));
    found(&other, Invariant::StockConserved, "order-a");
}

#[test]
fn an_order_that_goes_on_for_ever_is_named() {
    let open = after(|city| {
        city.orders[1].status = "pending".to_owned();
        city.journal[6].status = Some("pending".to_owned());
        city.messages.retain(|message| message.about != "order-b");
    });
    assert_eq!(open, [(Invariant::AllTerminal, "order-b".to_owned())]);
    let held = after(|city| {
        city.reservations[1].state = Claim::Held;
        city.stock = vec![shelf(994, 2, 4)];
    });
    found(&held, Invariant::AllTerminal, "order-c");
    found(&held, Invariant::AllTerminal, "tea");
}

#[test]
fn an_unanswered_order_happens_wholly_or_not_at_all() {
    let unpaid = after(|city| city.book.retain(|line| line.reference != "order-f"));
    found(&unpaid, Invariant::AllOrNothing, "order-f");
    let unsold = after(|city| {
        city.reservations[2].state = Claim::Released;
        city.stock = vec![shelf(998, 0, 2)];
    });
    found(&unsold, Invariant::AllOrNothing, "order-f");
    let nothing = after(|city| {
        city.book.retain(|line| line.reference != "order-f");
        city.reservations
            .retain(|claim| claim.order_id != "order-f");
        city.orders.retain(|order| order.id != "order-f");
        city.stock = vec![shelf(998, 0, 2)];
        city.parcels.retain(|parcel| parcel.order_id != "order-f");
        city.messages.retain(|message| message.about != "order-f");
        city.counts = vec![count(1)];
    });
    assert_eq!(nothing, []);
}

#[test]
fn a_confirmed_order_is_shipped_once_and_no_other_is() {
    let never = after(|city| city.parcels.truncate(1));
    assert_eq!(never, [(Invariant::ShippedOnce, "order-f".to_owned())]);
    let twice = after(|city| city.parcels.push(parcel("order-f", "preparing")));
    assert_eq!(twice, [(Invariant::ShippedOnce, "order-f".to_owned())]);
    let cancelled = after(|city| city.parcels.push(parcel("order-b", "preparing")));
    assert_eq!(cancelled, [(Invariant::ShippedOnce, "order-b".to_owned())]);
    let unknown = after(|city| city.parcels.push(parcel("order-x", "preparing")));
    assert_eq!(unknown, [(Invariant::ShippedOnce, "order-x".to_owned())]);
}

#[test]
fn a_member_is_told_once_of_what_happened_and_of_nothing_else() {
    for kind in ["order_confirmed", "shipment_delivered"] {
        let about = |message: &Message| message.kind == kind && message.about == "order-a";
        let untold = after(|city| city.messages.retain(|message| !about(message)));
        assert_eq!(
            untold,
            [(Invariant::ToldOnce, "order-a".to_owned())],
            "{kind}"
        );
        let twice = after(|city| city.messages.push(message(kind, "order-a")));
        assert_eq!(
            twice,
            [(Invariant::ToldOnce, "order-a".to_owned())],
            "{kind}"
        );
    }
    let refund = after(|city| {
        city.messages
            .retain(|message| message.kind != "payment_refunded");
    });
    assert_eq!(refund, [(Invariant::ToldOnce, "order-c".to_owned())]);
    let early = after(|city| {
        city.messages
            .push(message("shipment_dispatched", "order-f"));
    });
    assert_eq!(early, [(Invariant::ToldOnce, "order-f".to_owned())]);
    let unknown = after(|city| city.messages.push(message("order_confirmed", "order-x")));
    assert_eq!(unknown, [(Invariant::ToldOnce, "order-x".to_owned())]);
    let welcome = after(|city| city.messages.push(message("welcome", "member")));
    assert_eq!(welcome, [(Invariant::ToldOnce, "member".to_owned())]);
}

#[test]
fn a_product_is_counted_once_for_each_order() {
    for wrong in [1, 3] {
        let counted = after(|city| city.counts = vec![count(wrong)]);
        assert_eq!(
            counted,
            [(Invariant::CountedOnce, "tea".to_owned())],
            "{wrong}"
        );
    }
    let forgotten = after(|city| city.counts.clear());
    assert_eq!(forgotten, [(Invariant::CountedOnce, "tea".to_owned())]);
}

#[test]
fn an_event_that_nobody_has_taken_is_named() {
    let lag = after(|city| city.behind = vec![behind(3)]);
    let subject = "notifications <- orders".to_owned();
    assert_eq!(lag, [(Invariant::AllTerminal, subject.clone())]);
    let parked = after(|city| city.behind[0].consumer.dead = 1);
    assert_eq!(parked, [(Invariant::AllTerminal, subject.clone())]);
    let stalled = after(|city| city.behind[0].consumer.stalled = Some("truncated".to_owned()));
    assert_eq!(stalled, [(Invariant::AllTerminal, subject)]);
}
