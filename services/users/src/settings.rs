use app::settings::Secret;

app::settings! {
    /// Members, their sessions, and the keys that sign their tokens.
    pub struct Settings validated by check {
        /// Where members, sessions and keys are kept. A relative file is in the data folder.
        boot store_url: String = "sqlite:users.db".into(),
        /// How long an access token lives, in seconds: 60 to 86400.
        live access_token_seconds: u64 = 900,
        /// How long a refresh token lives, in days: 1 to 365.
        live refresh_token_days: u64 = 30,
        /// Sessions that a member may have at once; the oldest ends when there is one more.
        live sessions_per_member: u32 = 20,
        /// After how many hours the next signing key takes over: 1 to 8760.
        live key_rotation_hours: u64 = 168,
        /// Passwords that are hashed at once. Each takes a thread and 19 MiB for some 20 ms.
        boot hash_concurrency: usize = 1,
        /// Requests that may wait for their password to be hashed; one more is told 503 `busy`.
        live hash_queue: usize = 64,
        /// E-mail address of the first admin.
        boot first_admin_email: String = "admin@citywatch.example".into(),
        /// Password of the first admin, who is made at start if there is no admin yet. Empty:
        /// none is made.
        secret first_admin_password: Secret = Secret::default(),
    }
}

fn check(settings: &Settings) -> Result<(), String> {
    app::settings::in_ranges([
        (
            "access_token_seconds",
            settings.access_token_seconds,
            60,
            86_400,
        ),
        ("refresh_token_days", settings.refresh_token_days, 1, 365),
        (
            "sessions_per_member",
            settings.sessions_per_member.into(),
            1,
            1_000,
        ),
        ("key_rotation_hours", settings.key_rotation_hours, 1, 8_760),
        ("hash_concurrency", settings.hash_concurrency as u64, 1, 64),
        ("hash_queue", settings.hash_queue as u64, 1, 10_000),
    ])
}

#[cfg(test)]
mod tests {
    use app::settings::Section as _;

    use super::Settings;

    #[test]
    fn the_defaults_are_valid_and_bounds_hold() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let settings = Settings {
            access_token_seconds: 0,
            ..Settings::default()
        };
        assert!(
            settings
                .validate()
                .unwrap_err()
                .contains("access_token_seconds")
        );
    }
}
