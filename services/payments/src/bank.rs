//! The bank, as payments speaks with it. It answers what it wants, when it wants: all that is not
//! plainly an answer is unknown.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use calls::{Answer, Call, CallError, Client};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::charge::Charge;
use crate::claim::Lease;
use crate::points::{Around, Points};

#[derive(Clone)]
pub(crate) struct Bank {
    client: Client,
    charge_send: Around,
    lookup_send: Around,
    refund_send: Around,
}

/// A charge in the bank's book.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Booked {
    pub(crate) id: Uuid,
    #[serde(default)]
    pub(crate) refunded: bool,
}

/// Why the bank's answer is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// It was certainly not asked.
    NotSent,
    /// It may have been asked, and may have done it or may yet do it.
    Unknown,
}

/// What the bank said to a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Captured(Uuid),
    Declined,
}

#[derive(Serialize)]
struct Order<'a> {
    reference: &'a str,
    amount: i64,
    currency: &'static str,
}

#[derive(Deserialize)]
struct Charges {
    charges: Vec<Booked>,
}

impl Bank {
    pub(crate) fn new(client: Client, points: &Points) -> Self {
        Self {
            client,
            charge_send: points.charge_send.clone(),
            lookup_send: points.lookup_send.clone(),
            refund_send: points.refund_send.clone(),
        }
    }

    /// Every charge with this reference, given back or not, the oldest first.
    pub(crate) async fn look_up(&self, reference: Uuid) -> Result<Vec<Booked>, Silence> {
        let reference = reference.to_string();
        let call = self.client.get("/charges", "/charges");
        let call = call.query(&[("reference", &reference)]);
        let answer = send(&self.lookup_send, call, || true).await?;
        if answer.status != StatusCode::OK {
            return Err(unexpected("look up", &answer));
        }
        let found: Charges = answer.json().map_err(|_| unexpected("look up", &answer))?;
        Ok(found.charges)
    }

    /// Charges, if the claim still allows it. It is never done twice for one claim.
    pub(crate) async fn charge(&self, charge: &Charge, lease: &Lease) -> Result<Said, Silence> {
        let Some(terms) = &charge.terms else {
            return Err(Silence::NotSent);
        };
        let order = Order {
            reference: &charge.key.to_string(),
            amount: terms.amount.amount,
            currency: terms.amount.currency.code(),
        };
        let call = self.client.post("/charges", "/charges").json(&order);
        let mut has_begun = false;
        let allowed = || {
            let may = if has_begun {
                lease.may_wait()
            } else {
                lease.may_send()
            };
            has_begun = true;
            may
        };
        let answer = send(&self.charge_send, call, allowed).await?;
        match answer.status {
            StatusCode::CREATED => {
                let booked: Booked = answer.json().map_err(|_| unexpected("charge", &answer))?;
                Ok(Said::Captured(booked.id))
            }
            StatusCode::PAYMENT_REQUIRED => Ok(Said::Declined),
            _ => Err(unexpected("charge", &answer)),
        }
    }

    /// Gives a charge back; whether it was this request that did.
    pub(crate) async fn refund(&self, id: Uuid) -> Result<bool, Silence> {
        let path = format!("/charges/{id}/refunds");
        let call = self.client.post("/charges/{id}/refunds", path);
        let answer = send(&self.refund_send, call, || true).await?;
        match answer.status {
            StatusCode::CREATED => Ok(true),
            // `already_refunded`: an answer to an earlier request was lost.
            StatusCode::CONFLICT => Ok(false),
            _ => Err(unexpected("refund", &answer)),
        }
    }
}

/// Sends, as long as `allowed` says so each time that the call is woken: a process that was
/// stopped meanwhile may have lost its claim.
async fn send(
    around: &Around,
    call: Call,
    mut allowed: impl FnMut() -> bool,
) -> Result<Answer, Silence> {
    // An injected fault is as if the request had not got out, or its answer not in.
    around.before.pass().await.map_err(|_| Silence::NotSent)?;
    let mut sending = pin!(call.send());
    let mut has_begun = false;
    let outcome = poll_fn(|context| {
        if !allowed() {
            let silence = match has_begun {
                true => Silence::Unknown,
                false => Silence::NotSent,
            };
            return Poll::Ready(Err(silence));
        }
        has_begun = true;
        sending
            .as_mut()
            .poll(context)
            .map(|outcome| outcome.map_err(|error| silence(&error)))
    })
    .await;
    around.after.pass().await.map_err(|_| Silence::Unknown)?;
    outcome
}

fn silence(error: &CallError) -> Silence {
    tracing::warn!(%error, "the bank did not answer");
    match error.may_have_happened() {
        true => Silence::Unknown,
        false => Silence::NotSent,
    }
}

fn unexpected(operation: &str, answer: &Answer) -> Silence {
    let status = answer.status.as_u16();
    tracing::warn!(operation, status, "the bank's answer says nothing");
    Silence::Unknown
}
