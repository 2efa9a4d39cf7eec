//! Mail by SMTP (RFC 5321), handed to the server that the settings name.
//!
//! What a server says may hold the address that it was told: only its three digits leave this
//! module.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use http::Uri;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use super::Unsent;
use super::letter::Letter;

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Security {
    Never,
    /// After STARTTLS, without which nothing is sent.
    Asked,
    FromTheStart,
}

/// A mail server, and how it is spoken with.
pub(crate) struct Relay {
    host: String,
    port: u16,
    security: Security,
    credentials: Option<Credentials>,
    greets_as: ClientId,
    tls: Option<TlsParameters>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("server", &self.server())
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}

impl Relay {
    /// # Errors
    /// What is wrong with the URL, without any of it.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let url: Uri = url.parse().map_err(|_| "must be `log` or an SMTP URL")?;
        let (security, port) = match (url.scheme_str(), url.query()) {
            (Some("smtps"), None) => (Security::FromTheStart, 465),
            (Some("smtp"), Some("tls=required")) => (Security::Asked, 587),
            (Some("smtp"), None) => (Security::Never, 25),
            (Some("smtp"), Some(_)) => return Err("may end in `?tls=required`, and nothing else"),
            _ => return Err("must be `log`, or begin with `smtp://` or `smtps://`"),
        };
        let authority = url.authority().ok_or("must name a server")?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err("must name a server");
        }
        let credentials = match authority.as_str().rsplit_once('@') {
            Some((user, _)) => Some(credentials(user)?),
            None => None,
        };
        let is_here = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if credentials.is_some() && security == Security::Never && !is_here {
            return Err(
                "has a password that would cross the network without TLS: add \
                 `?tls=required`, or use `smtps://`",
            );
        }
        let greets_as = match url.path().trim_matches('/') {
            "" => ClientId::default(),
            name => ClientId::Domain(name.to_owned()),
        };
        Ok(Self {
            port: authority.port_u16().unwrap_or(port),
            host,
            security,
            credentials,
            greets_as,
            tls: None,
        })
    }

    /// Rests on these certificates too; on Mozilla's list alone if no file is named.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(crate) fn trusting(mut self, file: &Path) -> Result<Self, &'static str> {
        if self.security == Security::Never {
            return Ok(self);
        }
        let mut tls = TlsParameters::builder(self.host.clone());
        if !file.as_os_str().is_empty() {
            let pem = std::fs::read(file).map_err(|_| "cannot be read")?;
            let certificate = Certificate::from_pem(&pem);
            tls = tls.add_root_certificate(certificate.map_err(|_| "holds no certificates")?);
        }
        self.tls = Some(tls.build().map_err(|_| "cannot be used")?);
        Ok(self)
    }

    pub(crate) fn server(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Connects, greets, and says who we are.
    pub(crate) async fn open(&self, patience: Duration) -> Result<Session, Cow<'static, str>> {
        match timeout(patience, self.connect()).await {
            Ok(Ok(connection)) => Ok(Session { connection }),
            Ok(Err(error)) => Err(word(&error)),
            Err(_) => Err("timeout".into()),
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let server = (self.host.as_str(), self.port);
        let at_once = self.tls.clone();
        let at_once = at_once.filter(|_| self.security == Security::FromTheStart);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, None, &self.greets_as, at_once, None)
                .await?;
        if let (Security::Asked, Some(tls)) = (self.security, &self.tls) {
            connection.starttls(tls.clone(), &self.greets_as).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

fn credentials(user: &str) -> Result<Credentials, &'static str> {
    let (user, password) = user
        .split_once(':')
        .ok_or("has a user without a password")?;
    let decoded = |text| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map_err(|_| "has a user or a password that is not UTF-8")
    };
    Ok(Credentials::new(
        decoded(user)?.into_owned(),
        decoded(password)?.into_owned(),
    ))
}

/// A connection on which letters are handed over, one after another.
pub(crate) struct Session {
    connection: AsyncSmtpConnection,
}

impl Session {
    pub(crate) async fn send(&mut self, letter: &Letter, patience: Duration) -> Result<(), Unsent> {
        let sent = timeout(
            patience,
            self.connection.send(&letter.envelope, &letter.bytes),
        );
        match sent.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if is_final(&error) => Err(Unsent::Never(word(&error))),
            Ok(Err(error)) => Err(Unsent::Later(word(&error))),
            // Where in the conversation it stands is not known any more.
            Err(_) => {
                let _ = timeout(Duration::ZERO, self.connection.abort()).await;
                Err(Unsent::Later("timeout".into()))
            }
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.connection.has_broken()
    }

    pub(crate) async fn close(mut self, patience: Duration) {
        // What was handed over is in the server's hands, whether or not it says goodbye.
        let _ = timeout(patience, self.connection.quit()).await;
    }
}

/// Whether the server refuses this letter for good (RFC 5321 section 4.2.3): the letter or its
/// address, not the session, whose troubles are others' business.
fn is_final(error: &Error) -> bool {
    let code = error.status().map(|code| code.to_string());
    let code = code.and_then(|code| code.parse().ok());
    matches!(code, Some(501_u16 | 550..=556))
}

fn word(error: &Error) -> Cow<'static, str> {
    match error.status() {
        Some(code) => format!("smtp_{code}").into(),
        None if error.is_tls() => "tls".into(),
        None if error.is_client() => "not_offered".into(),
        None => "connection".into(),
    }
}
