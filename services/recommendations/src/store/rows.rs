//! Statements that write many rows.

use std::ops::Range;

/// Most rows of one statement.
const MOST: usize = 32;
/// So few are written by one statement, whatever their number.
const FEW: usize = 12;

/// Divides so many rows among statements. Of those there are few lengths, so that each is prepared
/// once.
pub(super) fn portions(rows: usize) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let left = rows - from;
        let portion = match left {
            0 => return None,
            1..=FEW => left,
            _ => (1 << left.ilog2()).min(MOST),
        };
        from += portion;
        Some(from - portion..from)
    })
}

/// Places for the values of so many rows: `($1, $2), ($3, $4)`.
pub(super) fn values(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let places: Vec<_> = (1..=columns)
            .map(|column| format!("${}", row * columns + column))
            .collect();
        format!("({})", places.join(", "))
    };
    let rows: Vec<_> = (0..rows).map(row).collect();
    rows.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_is_in_one_portion() {
        let mut lengths = BTreeSet::new();
        for rows in 0..1_000 {
            let mut next = 0;
            for portion in portions(rows) {
                assert_eq!(portion.start, next);
                assert!((1..=MOST).contains(&portion.len()), "{rows}");
                lengths.insert(portion.len());
                next = portion.end;
            }
            assert_eq!(next, rows);
        }
        assert!(lengths.len() < 20, "{lengths:?}");
    }

    #[test]
    fn values_are_counted_through() {
        assert_eq!(values(1, 1), "($1)");
        assert_eq!(values(2, 3), "($1, $2, $3), ($4, $5, $6)");
    }
}
