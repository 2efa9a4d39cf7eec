app::settings! {
    /// What board can be told.
    pub struct Settings validated by check {
        /// Where the posts are; a relative file lies in the data directory.
        boot store_url: String = "sqlite:board.db".into(),
        /// Members whose names are remembered at once.
        boot names_remembered: usize = 10_000,
        /// How long a name is remembered, in milliseconds. 0: not at all.
        live names_kept_ms: u64 = 30_000,
        /// Posts on a page when the request does not say.
        live page_size: usize = 20,
        /// Most posts on a page.
        live page_size_max: usize = 100,
    }
}

fn check(settings: &Settings) -> Result<(), String> {
    app::settings::in_ranges([
        (
            "names_remembered",
            settings.names_remembered as u64,
            1,
            1_000_000,
        ),
        ("names_kept_ms", settings.names_kept_ms, 0, 3_600_000),
        ("page_size", settings.page_size as u64, 1, 100),
        // As many names as users tells at once.
        ("page_size_max", settings.page_size_max as u64, 1, 100),
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
            page_size_max: 101,
            ..Settings::default()
        };
        assert!(settings.validate().unwrap_err().contains("page_size_max"));
    }
}
