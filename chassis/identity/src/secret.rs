//! Secrets that are compared.

/// Whether two secrets are the same, in a time that does not tell how much of them is. An empty
/// secret is nobody's: it equals nothing.
pub fn same_secret(expected: &str, given: &str) -> bool {
    !expected.is_empty()
        && aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_bytes(), given.as_bytes())
            .is_ok()
}

#[cfg(test)]
mod tests {
    use super::same_secret;

    #[test]
    fn only_the_same_secret_is_the_same() {
        let table = [
            ("open sesame", "open sesame", true),
            ("open sesame", "open sesamE", false),
            ("open sesame", "open", false),
            ("open sesame", "", false),
            ("", "", false),
        ];
        for (expected, given, same) in table {
            assert_eq!(same_secret(expected, given), same, "{expected:?} {given:?}");
        }
    }
}
