use app::money::Money;
use axum::http::StatusCode;
use calls::{Calls, edges};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Unsettled;
use crate::domain::{Order, Refunded, Reply};

#[derive(Serialize)]
struct Wanted<'a> {
    order_id: Uuid,
    member_id: &'a str,
    amount: Money,
}

#[derive(Deserialize)]
struct Charge {
    reference: String,
}

#[derive(Deserialize)]
struct Refund {
    state: Refunded,
}

/// The key of a charge, and of its refund, is the order's id.
#[derive(Clone)]
pub(crate) struct Client(calls::Client);

impl Client {
    pub(super) fn new(calls: &Calls) -> Self {
        Self(calls.to(&edges::ORDERS_PAYMENTS))
    }

    pub(crate) async fn charge(&self, order: &Order) -> Result<Reply, Unsettled> {
        let wanted = Wanted {
            order_id: order.id,
            member_id: &order.member_id,
            amount: order.total,
        };
        let path = format!("/inner/v1/charges/{}", order.id);
        let call = self.0.put("/inner/v1/charges/{key}", path).json(&wanted);
        let answer = call.send().await?;
        match answer.status {
            StatusCode::OK => match answer.json::<Charge>() {
                Ok(Charge { reference }) => Ok(Reply::Captured { reference }),
                Err(_) => Err(Unsettled::form("payments")),
            },
            _ => match answer.problem_code().as_deref() {
                Some("payment_declined") => Ok(Reply::Declined),
                Some("charge_voided") => Ok(Reply::ChargeVoided),
                _ => Err(Unsettled::answer(&answer)),
            },
        }
    }

    pub(crate) async fn refund(&self, order: &Order) -> Result<Reply, Unsettled> {
        let path = format!("/inner/v1/refunds/{}", order.id);
        let answer = self.0.put("/inner/v1/refunds/{key}", path).send().await?;
        match answer.status {
            StatusCode::OK => match answer.json::<Refund>() {
                Ok(Refund { state }) => Ok(Reply::Refunded(state)),
                Err(_) => Err(Unsettled::form("payments")),
            },
            _ => Err(Unsettled::answer(&answer)),
        }
    }
}
