app::settings! {
    /// What shipping can be told.
    pub struct Settings validated by check {
        /// Where the shipments are; a relative file lies in the data directory.
        boot store_url: String = "sqlite:shipping.db".into(),
        /// How long after its order was confirmed a shipment is dispatched, in milliseconds. Counts
        /// for the orders that are confirmed from then on.
        live dispatch_after_ms: u64 = 2_000,
        /// How long after its dispatch a shipment is delivered, in milliseconds. Counts for what is
        /// dispatched from then on.
        live deliver_after_ms: u64 = 3_000,
        /// How long an instance that moves shipments keeps them to itself without a word, in
        /// milliseconds: so long after its death another goes on.
        live lease_ms: u64 = 5_000,
        /// Shipments that an instance takes at once to move them.
        boot take_at_once: usize = 32,
    }
}

fn check(settings: &Settings) -> Result<(), String> {
    let month = 31 * 86_400_000;
    app::settings::in_ranges([
        ("dispatch_after_ms", settings.dispatch_after_ms, 0, month),
        ("deliver_after_ms", settings.deliver_after_ms, 0, month),
        ("lease_ms", settings.lease_ms, 10, 86_400_000),
        ("take_at_once", settings.take_at_once as u64, 1, 1_000),
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
