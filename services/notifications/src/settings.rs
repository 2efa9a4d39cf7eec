use std::path::PathBuf;

use app::settings::Secret;

use crate::sender::Sender;

app::settings! {
    /// What notifications can be told.
    pub struct Settings validated by check {
        /// Where the notifications are; a relative file lies in the data directory.
        boot store_url: String = "sqlite:notifications.db".into(),
        /// How notifications leave the city. `log`, as when nothing is set: a line in the log of
        /// this service, without the address. `smtps://user:password@host`: mail, by TLS from the
        /// first byte (port 465); `smtp://user:password@host?tls=required`: by TLS after STARTTLS
        /// (port 587); `smtp://host`: without TLS (port 25), and with a password only to this
        /// machine. A path is the name by which this machine greets: `smtp://host/me.example`.
        secret sender: Secret = Secret::default(),
        /// Whom mail is from: an address, or a name with an address in angle brackets.
        boot sender_from: String = "Citywatch <no-reply@citywatch.example>".into(),
        /// File with certificates (PEM) on which the mail server's own may rest, beside Mozilla's
        /// list. Empty: that list alone.
        boot sender_ca_file: PathBuf = PathBuf::new(),
        /// Notifications that an instance sends at once.
        boot senders: u64 = 1,
        /// Longest that a mail server may take to be reached, and to take one message, in
        /// milliseconds.
        live send_timeout_ms: u64 = 15_000,
        /// How long an instance that sends a notification keeps it to itself, in milliseconds: so
        /// long after its death another sends it. More than three times `send_timeout_ms`.
        live lease_ms: u64 = 60_000,
        /// Pause after an attempt that failed, in milliseconds. It doubles each time.
        live retry_first_ms: u64 = 1_000,
        /// Longest such pause, in milliseconds.
        live retry_max_ms: u64 = 300_000,
        /// How long after it was written a notification is sent at the latest, in hours; then it
        /// is given up, and only the member's list has it.
        live give_up_hours: u64 = 72,
        /// Notifications on a page when the request does not say.
        live page_size: usize = 20,
        /// Most notifications on a page.
        live page_size_max: usize = 100,
    }
}

fn check(settings: &Settings) -> Result<(), String> {
    let day = 86_400_000;
    app::settings::in_ranges([
        ("senders", settings.senders, 1, 64),
        ("send_timeout_ms", settings.send_timeout_ms, 10, day),
        ("lease_ms", settings.lease_ms, 10, day),
        ("retry_first_ms", settings.retry_first_ms, 1, day),
        ("retry_max_ms", settings.retry_max_ms, 1, day),
        ("give_up_hours", settings.give_up_hours, 1, 8_760),
        ("page_size", settings.page_size as u64, 1, 1_000),
        ("page_size_max", settings.page_size_max as u64, 1, 1_000),
    ])?;
    // Otherwise another would send what is being sent.
    if settings.lease_ms <= 3 * settings.send_timeout_ms {
        return Err("`lease_ms` must be more than three times `send_timeout_ms`".to_owned());
    }
    Sender::check(settings).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use app::settings::Section as _;

    use super::*;

    #[test]
    fn the_defaults_are_valid_and_bounds_hold() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let settings = Settings {
            senders: 0,
            ..Settings::default()
        };
        assert!(settings.validate().unwrap_err().contains("senders"));
        let settings = Settings {
            lease_ms: 45_000,
            ..Settings::default()
        };
        assert!(settings.validate().unwrap_err().contains("lease_ms"));
        let settings = Settings {
            sender_from: "nobody".to_owned(),
            ..Settings::default()
        };
        assert!(settings.validate().unwrap_err().contains("sender_from"));
    }

    /// Whoever set it wrong must be told so, but nobody else must read a password.
    #[test]
    fn a_sender_that_cannot_be_is_refused_without_being_shown() {
        for sender in [
            "letter",
            "smtp://",
            "smtps://mina:p455word@",
            "http://mina:p455word@mail.example",
            "smtp://mina:p455word@mail.example",
            "smtp://mina:p455word@mail.example?tls=opportunistic",
            "smtps://mina:p455word%FF@mail.example",
            "smtps://mina:p455 word@mail.example",
        ] {
            let settings = Settings {
                sender: Secret::new(sender),
                ..Settings::default()
            };
            let refusal = settings.validate().unwrap_err();
            assert!(refusal.contains("`sender`"), "{sender}: {refusal}");
            assert!(!refusal.contains("p455"), "{refusal}");
        }
        for sender in [
            "log",
            "smtp://mail.example",
            "smtp://mina:p455word@127.0.0.1:2525",
            "smtp://mina:p455word@mail.example?tls=required",
            "smtps://mina%40city.example:p455%3Aword@mail.example:4650/me.example",
        ] {
            let settings = Settings {
                sender: Secret::new(sender),
                ..Settings::default()
            };
            assert_eq!(settings.validate(), Ok(()), "{sender}");
        }
    }
}
