//! A notification as a letter: RFC 5322, in both languages, as nobody's language is known.

use std::time::{Duration, UNIX_EPOCH};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::{Address, address::Envelope};

use crate::domain::{Kind, Words};
use crate::store::Notification;

/// Says to out-of-office replies that nobody reads them (RFC 3834).
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// Writes letters.
#[derive(Debug, Clone)]
pub(crate) struct Letters {
    from: Mailbox,
}

/// A letter with its envelope.
pub(crate) struct Letter {
    pub(super) envelope: Envelope,
    pub(super) bytes: Vec<u8>,
}

impl Letters {
    /// Letters from this address; none if it is no address.
    pub(crate) fn from(from: &str) -> Option<Self> {
        let from = from.parse().ok()?;
        Some(Self { from })
    }

    /// None if it can be sent to no such address.
    pub(crate) fn write(&self, notification: &Notification, email: &str) -> Option<Letter> {
        let to: Address = email.parse().ok()?;
        let id = notification.id;
        let Words { ko, en } = notification.kind.subject();
        let written_at = u64::try_from(notification.created_at.micros()).unwrap_or_default();
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(format!("[Citywatch] {ko} / {en}"))
            // The same in each attempt: whoever gets it twice can tell.
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .date(UNIX_EPOCH + Duration::from_micros(written_at))
            .raw_header(HeaderValue::new(
                AUTO_SUBMITTED,
                "auto-generated".to_owned(),
            ))
            .header(ContentType::TEXT_PLAIN)
            .body(text(notification))
            .ok()?;
        Some(Letter {
            envelope: message.envelope().clone(),
            bytes: message.formatted(),
        })
    }
}

fn text(notification: &Notification) -> String {
    let Words { ko, en } = &notification.text;
    match notification.kind {
        Kind::Welcome => format!("{ko}\n\n{en}\n"),
        _ => {
            let order = notification.about;
            format!("{ko}\n주문 번호: {order}\n\n{en}\nOrder: {order}\n")
        }
    }
}
