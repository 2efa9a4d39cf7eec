use axum::http::StatusCode;
use calls::{Answer, Calls, edges};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Unsettled;
use crate::domain::{Order, Reply};

#[derive(Serialize)]
struct Wanted {
    items: Vec<WantedItem>,
}

#[derive(Serialize)]
struct WantedItem {
    product_id: Uuid,
    quantity: u32,
}

#[derive(Deserialize)]
struct Reservation {
    state: State,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Held,
    Confirmed,
    Released,
    Expired,
}

#[derive(Clone)]
pub(crate) struct Client(calls::Client);

const RESERVATION: &str = "/inner/v1/reservations/{order_id}";

impl Client {
    pub(super) fn new(calls: &Calls) -> Self {
        Self(calls.to(&edges::ORDERS_INVENTORY))
    }

    pub(crate) async fn reserve(&self, order: &Order) -> Result<Reply, Unsettled> {
        let items = order.items.iter().map(|item| WantedItem {
            product_id: item.product_id,
            quantity: item.quantity,
        });
        let wanted = Wanted {
            items: items.collect(),
        };
        let call = self.0.put(RESERVATION, path(order.id)).json(&wanted);
        let answer = call.send().await?;
        match answer.status {
            StatusCode::OK | StatusCode::CREATED => match state(&answer)? {
                State::Held | State::Confirmed => Ok(Reply::Held),
                State::Released | State::Expired => Ok(Reply::HeldNoMore),
            },
            _ => match answer.problem_code().as_deref() {
                Some("out_of_stock") => Ok(Reply::OutOfStock),
                Some("reservation_released") => Ok(Reply::HeldNoMore),
                _ => Err(Unsettled::answer(&answer)),
            },
        }
    }

    pub(crate) async fn confirm(&self, order: &Order) -> Result<Reply, Unsettled> {
        let template = "/inner/v1/reservations/{order_id}/confirm";
        let path = format!("{}/confirm", path(order.id));
        let answer = self.0.post(template, path).send().await?;
        match answer.status {
            StatusCode::OK => Ok(Reply::Sold),
            _ => match answer.problem_code().as_deref() {
                Some("reservation_expired" | "reservation_released" | "unknown_reservation") => {
                    Ok(Reply::HeldNoMore)
                }
                _ => Err(Unsettled::answer(&answer)),
            },
        }
    }

    pub(crate) async fn release(&self, order: &Order) -> Result<Reply, Unsettled> {
        let answer = self.0.delete(RESERVATION, path(order.id)).send().await?;
        match answer.status {
            StatusCode::OK => Ok(Reply::Released),
            _ => Err(Unsettled::answer(&answer)),
        }
    }
}

fn path(order: Uuid) -> String {
    format!("/inner/v1/reservations/{order}")
}

fn state(answer: &Answer) -> Result<State, Unsettled> {
    let reservation = answer.json::<Reservation>();
    reservation
        .map(|reservation| reservation.state)
        .map_err(|_| Unsettled::form("inventory"))
}
