//! What this service tells the others.

use app::money::Money;
use events::{Body, Outbox, PublishError};
use serde::Serialize;
use stores::sql::Transaction;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::charge::{Charge, State, Terms};

/// Money was taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentCaptured<'a> {
    /// The order that is paid for.
    order_id: Uuid,
    /// Who paid.
    member_id: &'a str,
    amount: Money,
}

impl Body for PaymentCaptured<'_> {
    const TYPE: &'static str = "payments.PaymentCaptured.v1";
}

/// Money that was taken went back.
#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentRefunded<'a> {
    /// The order that was paid for.
    order_id: Uuid,
    /// Who has it back.
    member_id: &'a str,
    amount: Money,
}

impl Body for PaymentRefunded<'_> {
    const TYPE: &'static str = "payments.PaymentRefunded.v1";
}

/// Tells of a charge that has come into another state, where others care: when the bank has moved
/// money.
pub(crate) async fn publish(
    outbox: &Outbox,
    tx: &mut Transaction,
    before: Option<State>,
    charge: &Charge,
) -> Result<(), PublishError> {
    let Some(terms) = &charge.terms else {
        return Ok(());
    };
    if before == Some(charge.state) {
        return Ok(());
    }
    let Terms {
        order_id,
        member_id,
        amount,
    } = terms;
    let (order_id, amount) = (*order_id, *amount);
    let subject = order_id.to_string();
    match charge.state {
        State::Captured => {
            let captured = PaymentCaptured {
                order_id,
                member_id,
                amount,
            };
            outbox.publish(tx, &subject, &captured).await
        }
        State::Refunded => {
            let refunded = PaymentRefunded {
                order_id,
                member_id,
                amount,
            };
            outbox.publish(tx, &subject, &refunded).await
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use events::schema::promised;

    use super::{PaymentCaptured, PaymentRefunded};

    #[test]
    fn what_is_published_is_what_was_promised() {
        promised::<PaymentCaptured<'_>>(env!("CARGO_MANIFEST_DIR")).unwrap();
        promised::<PaymentRefunded<'_>>(env!("CARGO_MANIFEST_DIR")).unwrap();
    }
}
