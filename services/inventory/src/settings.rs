app::settings! {
    /// Stock and the reservations held against it.
    pub struct Settings validated by check {
        /// Where stock and reservations are kept. A relative file lies in the data directory.
        boot store_url: String = "sqlite:inventory.db".into(),
        /// Units of a product that nobody has touched yet.
        boot initial_stock: u32 = 1_000,
        /// How long goods are held for an order that is not confirmed, in milliseconds; later
        /// they are on sale again. It holds for reservations made from now on.
        live reservation_ttl_ms: u64 = 900_000,
        /// Rows on a page when the request does not say.
        live page_size: usize = 20,
        /// Most rows on a page.
        live page_size_max: usize = 1_000,
    }
}

/// Ten years: more is a slip of the keyboard.
const TTL_MS_MAX: u64 = 10 * 365 * 86_400_000;

fn check(settings: &Settings) -> Result<(), String> {
    let ttl = settings.reservation_ttl_ms;
    if !(1..=TTL_MS_MAX).contains(&ttl) {
        return Err(format!(
            "`reservation_ttl_ms` is {ttl}; it must be 1 to {TTL_MS_MAX}"
        ));
    }
    if settings.page_size == 0 || settings.page_size_max == 0 {
        return Err("page_size and page_size_max must be at least 1".to_owned());
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
        for reservation_ttl_ms in [0, u64::MAX] {
            let settings = Settings {
                reservation_ttl_ms,
                ..Settings::default()
            };
            let refusal = settings.validate().unwrap_err();
            assert!(refusal.contains("reservation_ttl_ms"), "{refusal}");
        }
    }
}
