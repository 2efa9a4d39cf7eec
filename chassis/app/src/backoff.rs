use std::time::Duration;

/// The pause after so many failures in a row: it doubles from `first` up to `longest`, and chance
/// takes up to half of it away, so that what failed together does not come back together.
#[must_use]
pub fn pause(failures: u32, first: Duration, longest: Duration) -> Duration {
    spread(failures, first, longest, rand::random())
}

fn spread(failures: u32, first: Duration, longest: Duration, chance: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(30);
    let whole = first.saturating_mul(1 << doublings).min(longest);
    whole.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_the_longest_and_spreads() {
        let (first, longest) = (Duration::from_millis(200), Duration::from_secs(30));
        let millis = |failures, chance| spread(failures, first, longest, chance).as_millis();
        assert_eq!([1, 2, 3].map(|n| millis(n, 0.0)), [200, 400, 800]);
        assert_eq!(millis(2, 1.0), 200);
        for many in [9, 31, u32::MAX] {
            assert_eq!(millis(many, 0.0), 30_000);
        }
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(5));
        let millis = |failures, chance| spread(failures, first, longest, chance).as_millis();
        assert_eq!([1, 2, 3].map(|n| millis(n, 0.0)), [100, 200, 400]);
        assert_eq!(millis(2, 1.0), 100);
        for many in [7, 31, u32::MAX] {
            assert_eq!(millis(many, 0.0), 5_000);
        }
    }
}
