//! Lists of values for `IN (…)`, which no engine takes as one value.

/// Places for a list of so many values: `$1, $2, …`. Lists have few lengths, the powers of two, so
/// that each statement is prepared once; [`padded`] fills the places that are left.
#[must_use]
pub fn places(count: usize) -> String {
    let places: Vec<_> = (1..=count.next_power_of_two())
        .map(|place| format!("${place}"))
        .collect();
    places.join(", ")
}

/// The values, and the last one again for each place that is left. Nothing if there is no value.
pub fn padded<T>(values: &[T]) -> impl Iterator<Item = &T> {
    let left = values.len().next_power_of_two() - values.len();
    let last = values.last().into_iter();
    values.iter().chain(last.cycle().take(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_a_value() {
        for count in 1..=9 {
            let values: Vec<_> = (0..count).collect();
            let filled: Vec<_> = padded(&values).copied().collect();
            assert_eq!(filled.len(), places(count).split(", ").count());
            assert_eq!(filled[..count], values);
            assert!(filled[count..].iter().all(|value| *value == count - 1));
        }
        assert_eq!(places(3), "$1, $2, $3, $4");
        assert_eq!(padded::<u8>(&[]).count(), 0);
    }
}
