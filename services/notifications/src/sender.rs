//! How notifications leave the city. Whatever it is, it is told one at a time and says of each
//! whether it was taken; it never touches a row.

mod letter;
mod smtp;

use std::borrow::Cow;
use std::time::Duration;

use faults::Injected;

use crate::Settings;
use crate::store::{Claimed, NO_ADDRESS};
use letter::Letters;
use smtp::Relay;

/// Settings that no sender can be made of. Never says what they are: there is a password in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{setting}` {why}")]
pub(crate) struct Unusable {
    setting: &'static str,
    why: &'static str,
}

/// Why a notification was not sent, as a word that shows nobody's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// It may be taken another time, or was taken and the answer was lost.
    Later(Cow<'static, str>),
    /// It will not be taken, however often.
    Never(Cow<'static, str>),
}

impl From<Injected> for Unsent {
    fn from(_: Injected) -> Self {
        Self::Later("injected".into())
    }
}

/// The way out.
#[derive(Debug)]
pub(crate) enum Sender {
    /// A line in the log.
    Log,
    /// Mail, handed to a server.
    Smtp(Box<Relay>, Letters),
}

/// The way out, open: what it is told from here on goes the same way.
pub(crate) enum Session<'a> {
    Log,
    Smtp(Box<smtp::Session>, &'a Letters),
}

impl Sender {
    /// # Errors
    /// The settings name none that there is, or one that cannot be.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Unusable> {
        let letters = Self::letters(settings)?;
        match settings.sender.expose() {
            "" | "log" => Ok(Self::Log),
            url => {
                let relay = Self::relay(url)?;
                let relay = relay.trusting(&settings.sender_ca_file);
                let relay = relay.map_err(|why| Unusable {
                    setting: "sender_ca_file",
                    why,
                })?;
                Ok(Self::Smtp(Box::new(relay), letters))
            }
        }
    }

    /// Whether a sender could be made of the settings, as far as they tell without a file.
    pub(crate) fn check(settings: &Settings) -> Result<(), Unusable> {
        Self::letters(settings)?;
        match settings.sender.expose() {
            "" | "log" => Ok(()),
            url => Self::relay(url).map(drop),
        }
    }

    fn letters(settings: &Settings) -> Result<Letters, Unusable> {
        Letters::from(&settings.sender_from).ok_or(Unusable {
            setting: "sender_from",
            why: "must be an address, or a name and an address in angle brackets",
        })
    }

    fn relay(url: &str) -> Result<Relay, Unusable> {
        Relay::parse(url).map_err(|why| Unusable {
            setting: "sender",
            why,
        })
    }

    /// Its name in spans.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Smtp(..) => "smtp",
        }
    }

    /// The server that it speaks with.
    pub(crate) fn server(&self) -> Option<(&str, u16)> {
        match self {
            Self::Log => None,
            Self::Smtp(relay, _) => Some(relay.server()),
        }
    }

    /// Opens the way out; what goes wrong here is no notification's fault.
    ///
    /// # Errors
    /// A word for what went wrong.
    pub(crate) async fn open(&self, patience: Duration) -> Result<Session<'_>, Cow<'static, str>> {
        match self {
            Self::Log => Ok(Session::Log),
            Self::Smtp(relay, letters) => {
                let session = relay.open(patience).await?;
                Ok(Session::Smtp(Box::new(session), letters))
            }
        }
    }
}

impl Session<'_> {
    /// Sends one.
    ///
    /// # Errors
    /// It was not taken, or it is not known whether it was.
    pub(crate) async fn send(
        &mut self,
        claimed: &Claimed,
        patience: Duration,
    ) -> Result<(), Unsent> {
        let notification = &claimed.notification;
        match self {
            Self::Log => {
                tracing::info!(
                    notification_id = %notification.id,
                    member_id = notification.member_id,
                    kind = notification.kind.name(),
                    about = %notification.about,
                    subject = notification.kind.subject().en,
                    "notification"
                );
                Ok(())
            }
            Self::Smtp(session, letters) => {
                let Some(email) = &claimed.email else {
                    return Err(Unsent::Later(NO_ADDRESS.into()));
                };
                let letter = letters.write(notification, email);
                let letter = letter.ok_or(Unsent::Never("bad_address".into()))?;
                session.send(&letter, patience).await
            }
        }
    }

    /// Whether nothing can be sent this way any more.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Log => false,
            Self::Smtp(session, _) => session.is_over(),
        }
    }

    /// Takes leave of whoever is at the other end.
    pub(crate) async fn close(self, patience: Duration) {
        match self {
            Self::Log => {}
            Self::Smtp(session, _) => session.close(patience).await,
        }
    }
}
