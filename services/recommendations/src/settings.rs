use app::settings::in_ranges;

app::settings! {
    /// What recommendations can be told.
    pub struct Settings validated by check {
        /// Where the pairs are; a relative file lies in the data directory.
        boot store_url: String = "sqlite:recommendations.db".into(),
        /// How many products are recommended of each kind when the request does not say.
        live shown: usize = 10,
        /// Most products recommended of each kind.
        live shown_max: usize = 50,
        /// How many of the products that a viewer looked at last go together with the next.
        live window: usize = 5,
        /// How many pairs a product keeps of each kind. When it has twice as many, the weakest
        /// go.
        live pairs_kept: usize = 50,
        /// Rows on a page of counts when the request does not say.
        live page_size: usize = 20,
        /// Most rows on a page of counts.
        live page_size_max: usize = 1_000,
    }
}

fn check(settings: &Settings) -> Result<(), String> {
    let of = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    in_ranges([
        ("shown", of(settings.shown), 1, 1_000),
        ("shown_max", of(settings.shown_max), 1, 1_000),
        ("window", of(settings.window), 1, 100),
        ("pairs_kept", of(settings.pairs_kept), 1, 10_000),
        ("page_size", of(settings.page_size), 1, 100_000),
        ("page_size_max", of(settings.page_size_max), 1, 100_000),
    ])
}

#[cfg(test)]
mod tests {
    use app::settings::Section as _;

    use super::Settings;

    #[test]
    fn the_defaults_are_valid_and_bounds_hold() {
        assert_eq!(Settings::default().validate(), Ok(()));
        type Spoil = fn(&mut Settings);
        let outside: [(&str, Spoil); 6] = [
            ("shown", |settings| settings.shown = 0),
            ("shown_max", |settings| settings.shown_max = 0),
            ("window", |settings| settings.window = 101),
            ("pairs_kept", |settings| settings.pairs_kept = 0),
            ("page_size", |settings| settings.page_size = 0),
            ("page_size_max", |settings| settings.page_size_max = 0),
        ];
        for (key, set) in outside {
            let mut settings = Settings::default();
            set(&mut settings);
            let refusal = settings.validate().unwrap_err();
            assert!(refusal.starts_with(&format!("`{key}` ")), "{refusal}");
        }
    }
}
