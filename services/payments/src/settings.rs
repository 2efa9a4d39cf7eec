app::settings! {
    /// What payments can be told.
    pub struct Settings validated by check {
        /// Where the charges are; a relative file lies in the data directory.
        boot store_url: String = "sqlite:payments.db".into(),
        /// Base address of the bank.
        boot acquirer_url: String = "http://127.0.0.1:8600".into(),
        /// How long after a request the bank may still book it, in milliseconds. What is not in
        /// its book by then is taken as never charged.
        live settle_ms: u64 = 2_000,
        /// How often charges and refunds without an end are looked for, in milliseconds.
        live resolve_interval_ms: u64 = 250,
        /// How long after its end a charge is held against the bank's book, in milliseconds.
        live reconcile_after_ms: u64 = 10_000,
    }
}

fn check(settings: &Settings) -> Result<(), String> {
    if !settings.acquirer_url.starts_with("http://") {
        return Err("`acquirer_url` must begin with `http://`".to_owned());
    }
    let ranges = [
        ("settle_ms", settings.settle_ms),
        ("resolve_interval_ms", settings.resolve_interval_ms),
        ("reconcile_after_ms", settings.reconcile_after_ms),
    ];
    for (key, value) in ranges {
        if !(1..=3_600_000).contains(&value) {
            return Err(format!("`{key}` is {value}; it must be 1 to 3600000"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use app::settings::Section as _;

    use super::Settings;

    #[test]
    fn the_defaults_are_valid_and_bounds_hold() {
        assert_eq!(Settings::default().validate(), Ok(()));
        let settings = Settings {
            settle_ms: 0,
            ..Settings::default()
        };
        assert!(settings.validate().unwrap_err().contains("settle_ms"));
        let settings = Settings {
            acquirer_url: "bank:80".to_owned(),
            ..Settings::default()
        };
        assert!(settings.validate().unwrap_err().contains("acquirer_url"));
    }
}
