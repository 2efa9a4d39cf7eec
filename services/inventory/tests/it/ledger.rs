use std::collections::BTreeMap;

use reqwest::Method;

use crate::warehouse::{id, open};
use testing::assert_problem;

#[tokio::test]
async fn the_operator_sees_every_row_once() {
    let warehouse = open().await;
    let mut orders = BTreeMap::new();
    for n in 0..9 {
        let order = id();
        let state = match n % 3 {
            0 => {
                warehouse.release(&order).await;
                "released"
            }
            1 => {
                warehouse.reserve(&order, &[(&id(), 2)]).await;
                "held"
            }
            _ => {
                warehouse.reserve(&order, &[(&id(), 2)]).await;
                warehouse.confirm(&order).await;
                "confirmed"
            }
        };
        orders.insert(order, state);
    }
    for limit in [1, 3, 4, 9, 10] {
        let reservations = warehouse.rows("reservations", limit).await;
        assert_eq!(reservations.len(), orders.len());
        for (row, (order, state)) in reservations.iter().zip(&orders) {
            assert_eq!(
                (&row["order_id"], &row["state"]),
                (&(**order).into(), &(*state).into())
            );
        }
        let stock = warehouse.rows("stock", limit).await;
        assert_eq!(stock.len(), 6);
        assert!(stock.is_sorted_by_key(|row| row["product_id"].as_str().unwrap().to_owned()));
        // Held and sold units are those of the reservations.
        for (state, column) in [("held", "held"), ("confirmed", "sold")] {
            let of_state = reservations.iter().filter(|row| row["state"] == *state);
            for reservation in of_state {
                let item = &reservation["items"][0];
                let mut rows = stock.iter();
                let row = rows.find(|row| row["product_id"] == item["product_id"]);
                assert_eq!(row.unwrap()[column], item["quantity"]);
            }
        }
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused() {
    let warehouse = open().await;
    for list in ["stock", "reservations"] {
        for (key, value, code) in [
            ("limit", "0", "invalid_limit"),
            ("limit", "1001", "invalid_limit"),
            ("limit", "many", "invalid_query"),
            ("cursor", "xyz", "invalid_cursor"),
        ] {
            let page = warehouse.operator(list).query(&[(key, value)]);
            assert_problem(page.send().await.unwrap(), 400, code).await;
        }
    }
    let page = warehouse.admin(Method::GET, "?limit=0").send().await;
    assert_problem(page.unwrap(), 400, "invalid_limit").await;
}
