app::settings! {
    /// What orders can be told.
    pub struct Settings validated by check {
        /// Where the orders are; a relative file lies in the data directory.
        boot store_url: String = "sqlite:orders.db".into(),
        /// How long whoever places an order waits for its end before the answer is 202, in
        /// milliseconds. Less if the request's own budget is less.
        live answer_within_ms: u64 = 3_000,
        /// How long an instance that drives an order keeps it to itself without a word, in
        /// milliseconds: so long after its death another goes on.
        live lease_ms: u64 = 5_000,
        /// How long after an order was placed its items are reserved and its price is charged at
        /// the latest, in milliseconds; then it is cancelled. Must be less than the time for which
        /// inventory holds a reservation.
        live give_up_ms: u64 = 120_000,
        /// Pause after a step that did not settle, in milliseconds. It doubles each time.
        live retry_first_ms: u64 = 100,
        /// Longest such pause, in milliseconds.
        live retry_max_ms: u64 = 5_000,
        /// Orders that an instance takes over or resumes at once.
        boot resume_at_once: usize = 32,
        /// How long the answer to an idempotency key is kept, in hours.
        live key_kept_hours: u64 = 24,
        /// Longest note, in characters.
        live note_max_chars: usize = 500,
        /// Orders on a page when the request does not say.
        live page_size: usize = 20,
        /// Most orders on a page.
        live page_size_max: usize = 100,
    }
}

fn check(settings: &Settings) -> Result<(), String> {
    let day = 86_400_000;
    app::settings::in_ranges([
        ("answer_within_ms", settings.answer_within_ms, 1, day),
        ("lease_ms", settings.lease_ms, 10, day),
        ("give_up_ms", settings.give_up_ms, 1, day),
        ("retry_first_ms", settings.retry_first_ms, 1, day),
        ("retry_max_ms", settings.retry_max_ms, 1, day),
        ("resume_at_once", settings.resume_at_once as u64, 1, 1_000),
        ("key_kept_hours", settings.key_kept_hours, 1, 8_760),
        ("note_max_chars", settings.note_max_chars as u64, 0, 10_000),
        ("page_size", settings.page_size as u64, 1, 1_000),
        ("page_size_max", settings.page_size_max as u64, 1, 1_000),
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
            lease_ms: 0,
            ..Settings::default()
        };
        assert!(settings.validate().unwrap_err().contains("lease_ms"));
    }
}
