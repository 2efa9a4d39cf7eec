//! Who calls whom, and on what terms: the one table of every synchronous edge of the city.
//!
//! | edge | deadline | retry | when it fails |
//! |---|---|---|---|
//! | orders -> cart (read) | 500 ms | idempotent | 503, nothing started |
//! | orders -> cart (empty) | 500 ms | idempotent | the cart stays as it was |
//! | orders -> catalog (prices) | 500 ms | idempotent | 503, nothing started |
//! | orders -> inventory (reserve, confirm, release) | 1 s | by key | the saga waits and resumes, then compensates |
//! | orders -> payments (charge, refund) | 2 s | by key | 202 pending, the saga resumes |
//! | payments -> acquirer | 1.5 s | none: payments asks by reference first | pending, then resumed |
//! | board -> users (names) | 200 ms | idempotent | post shows the id alone |
//! | gateway -> recommendations (recommendations) | 300 ms | none: nobody waits for it | empty list |
//!
//! Who follows whose feed of events. A poll of a feed is held back until there is something to
//! read, so its deadline says when a callee that is silent is given up; what is not read is read
//! later, and nobody waits for it:
//!
//! | edge | deadline | retry | events |
//! |---|---|---|---|
//! | shipping -> orders (feed) | 20 s | none: polled again | OrderConfirmed |
//! | orders -> shipping (feed) | 20 s | none: polled again | ShipmentDispatched, ShipmentDelivered |
//! | notifications -> orders (feed) | 20 s | none: polled again | OrderConfirmed, OrderCancelled |
//! | notifications -> payments (feed) | 20 s | none: polled again | PaymentRefunded |
//! | notifications -> shipping (feed) | 20 s | none: polled again | ShipmentDispatched, ShipmentDelivered |
//! | notifications -> users (feed) | 20 s | none: polled again | UserRegistered |
//! | recommendations -> orders (feed) | 20 s | none: polled again | OrderConfirmed |
//! | recommendations -> catalog (feed) | 20 s | none: polled again | ProductViewed, ProductChanged |
//! | catalog -> inventory (feed) | 20 s | none: polled again | StockChanged |
//!
//! A deadline is for the whole call, with all of its attempts and the answer's body; what is left
//! of the request that is being served may cut it shorter. The gateway's own terms are settings of
//! its routes.

use std::time::Duration;

/// Whether a call that failed may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Never: doing it twice would do harm.
    None,
    /// Doing it twice is doing it once, by the method or by a key. Still only while the retry
    /// budget and the deadline last.
    Idempotent,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The service that calls.
    pub caller: &'static str,
    /// The service that is called, as it is registered.
    pub callee: &'static str,
    /// What it is called for, in a word.
    pub operation: &'static str,
    /// For the whole call.
    pub deadline: Duration,
    /// Whether it may be made again.
    pub retry: Retry,
    /// What the caller does when it fails, for people.
    pub fallback: &'static str,
}

/// What is in a member's cart.
pub const ORDERS_CART: Edge = Edge {
    caller: "orders",
    callee: "cart",
    operation: "read",
    deadline: Duration::from_millis(500),
    retry: Retry::Idempotent,
    fallback: "503, nothing started",
};

/// A cart is emptied when it was ordered; only that version of it, so that twice is once.
pub const ORDERS_CART_EMPTY: Edge = Edge {
    operation: "empty",
    fallback: "the cart stays as it was",
    ..ORDERS_CART
};

/// What things cost now.
pub const ORDERS_CATALOG: Edge = Edge {
    caller: "orders",
    callee: "catalog",
    operation: "prices",
    deadline: Duration::from_millis(500),
    retry: Retry::Idempotent,
    fallback: "503, nothing started",
};

/// Stock is reserved, confirmed or released, by the order's id.
pub const ORDERS_INVENTORY: Edge = Edge {
    caller: "orders",
    callee: "inventory",
    operation: "reserve, confirm, release",
    deadline: Duration::from_secs(1),
    retry: Retry::Idempotent,
    fallback: "the saga waits and resumes, then compensates",
};

/// An order is charged or refunded, by the order's id.
pub const ORDERS_PAYMENTS: Edge = Edge {
    caller: "orders",
    callee: "payments",
    operation: "charge, refund",
    deadline: Duration::from_secs(2),
    retry: Retry::Idempotent,
    fallback: "202 pending, the saga resumes",
};

/// The bank, which does not know a charge that it is sent twice.
pub const PAYMENTS_ACQUIRER: Edge = Edge {
    caller: "payments",
    callee: "acquirer",
    operation: "charge, look up, refund",
    deadline: Duration::from_millis(1500),
    retry: Retry::None,
    fallback: "pending; asked by reference, then resumed",
};

/// Names of those who wrote.
pub const BOARD_USERS: Edge = Edge {
    caller: "board",
    callee: "users",
    operation: "names",
    deadline: Duration::from_millis(200),
    retry: Retry::Idempotent,
    fallback: "post shows the id alone",
};

/// What else might please.
pub const GATEWAY_RECOMMENDATIONS: Edge = Edge {
    caller: "gateway",
    callee: "recommendations",
    operation: "recommendations",
    deadline: Duration::from_millis(300),
    retry: Retry::None,
    fallback: "empty list",
};

/// What was confirmed is sent.
pub const SHIPPING_ORDERS_FEED: Edge = feed("shipping", "orders");

/// How far the parcels of orders are.
pub const ORDERS_SHIPPING_FEED: Edge = feed("orders", "shipping");

/// Members are told what became of their orders.
pub const NOTIFICATIONS_ORDERS_FEED: Edge = feed("notifications", "orders");

/// Members are told of money that goes back.
pub const NOTIFICATIONS_PAYMENTS_FEED: Edge = feed("notifications", "payments");

/// Members are told where their parcels are.
pub const NOTIFICATIONS_SHIPPING_FEED: Edge = feed("notifications", "shipping");

/// Members are welcomed, and it is known where to write to them.
pub const NOTIFICATIONS_USERS_FEED: Edge = feed("notifications", "users");

/// What is bought together.
pub const RECOMMENDATIONS_ORDERS_FEED: Edge = feed("recommendations", "orders");

/// What is looked at together, and what is no longer there.
pub const RECOMMENDATIONS_CATALOG_FEED: Edge = feed("recommendations", "catalog");

/// What is in stock.
pub const CATALOG_INVENTORY_FEED: Edge = feed("catalog", "inventory");

const fn feed(caller: &'static str, callee: &'static str) -> Edge {
    Edge {
        caller,
        callee,
        operation: "feed",
        deadline: Duration::from_secs(20),
        retry: Retry::None,
        fallback: "read later",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_the_documentation_is_the_table_of_the_code() {
        let source = include_str!("edges.rs");
        for edge in [
            ORDERS_CART,
            ORDERS_CART_EMPTY,
            ORDERS_CATALOG,
            ORDERS_INVENTORY,
            ORDERS_PAYMENTS,
            PAYMENTS_ACQUIRER,
            BOARD_USERS,
            GATEWAY_RECOMMENDATIONS,
            SHIPPING_ORDERS_FEED,
            ORDERS_SHIPPING_FEED,
            NOTIFICATIONS_ORDERS_FEED,
            NOTIFICATIONS_PAYMENTS_FEED,
            NOTIFICATIONS_SHIPPING_FEED,
            NOTIFICATIONS_USERS_FEED,
            RECOMMENDATIONS_ORDERS_FEED,
            RECOMMENDATIONS_CATALOG_FEED,
            CATALOG_INVENTORY_FEED,
        ] {
            let millis = edge.deadline.as_millis();
            let deadline = match (millis, millis % 1000) {
                (..1000, _) => format!("{millis} ms"),
                (_, 0) => format!("{} s", millis / 1000),
                _ => format!("{:.1} s", edge.deadline.as_secs_f64()),
            };
            let head = format!("//! | {} -> {}", edge.caller, edge.callee);
            let line = source.lines().find(|line| {
                line.starts_with(&head)
                    && line.contains(&format!("| {deadline} |"))
                    && (line.contains(edge.operation) || edge.retry == Retry::None)
            });
            let line = line.unwrap_or_else(|| panic!("no line for {edge:?}"));
            assert_eq!(line.contains("| none"), edge.retry == Retry::None, "{line}");
        }
    }
}
