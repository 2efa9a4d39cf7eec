//! All combinations of the values that an instrument's labels can have, by number.

use std::sync::Arc;

use super::family::{LabelValue, Labels};
use super::labels::OTHER;
use super::names;
use super::own::InstrumentError;
use super::series::MAX_SERIES;

/// Labels and their values; the last value of each is [`OTHER`].
#[derive(Debug)]
pub(super) struct LabelSets {
    labels: Vec<(String, Vec<Arc<str>>)>,
    len: usize,
}

impl LabelSets {
    pub(super) fn new(labels: Vec<(String, Vec<String>)>) -> Result<LabelSets, InstrumentError> {
        let page = |name: &str| names::label(name);
        for (at, (name, _)) in labels.iter().enumerate() {
            let again = labels[..at]
                .iter()
                .any(|(before, _)| page(before) == page(name));
            if name.is_empty() || again || ["le", "quantile"].contains(&name.as_str()) {
                return Err(InstrumentError::Label(name.clone()));
            }
        }
        let with_other = |values: Vec<String>| -> Vec<Arc<str>> {
            let mut all: Vec<Arc<str>> = Vec::new();
            for value in values.into_iter().chain([OTHER.to_owned()]) {
                if !all.iter().any(|known| **known == *value) {
                    all.push(value.into());
                }
            }
            all
        };
        let labels: Vec<_> = labels
            .into_iter()
            .map(|(name, values)| (name, with_other(values)))
            .collect();
        let sizes = labels.iter().map(|(_, values)| values.len());
        let len = sizes.fold(1, usize::saturating_mul);
        if len > MAX_SERIES {
            return Err(InstrumentError::TooMany(len));
        }
        Ok(LabelSets { labels, len })
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The number of a combination; a value that is unknown or missing is [`OTHER`].
    pub(super) fn index(&self, given: &[&str]) -> usize {
        let mut given = given.iter();
        self.labels.iter().fold(0, |index, (_, known)| {
            let value = given.next();
            let at = value.and_then(|value| known.iter().position(|known| **known == **value));
            index * known.len() + at.unwrap_or(known.len() - 1)
        })
    }

    pub(super) fn labels(&self, index: usize) -> Labels {
        self.values(index)
            .into_iter()
            .rev()
            .fold(Labels::none(), |labels, (name, value)| {
                labels.with(name.to_owned(), LabelValue::Shared(Arc::clone(value)))
            })
    }

    /// Whether every value was named when the instrument was made.
    pub(super) fn is_known(&self, index: usize) -> bool {
        self.values(index)
            .iter()
            .all(|(_, value)| ***value != *OTHER)
    }

    /// From the last label to the first.
    fn values(&self, mut index: usize) -> Vec<(&str, &Arc<str>)> {
        let mut values = Vec::with_capacity(self.labels.len());
        for (name, known) in self.labels.iter().rev() {
            values.push((name.as_str(), &known[index % known.len()]));
            index /= known.len();
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(labels: &[(&str, &[&str])]) -> Result<LabelSets, InstrumentError> {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let labels = labels.iter();
        LabelSets::new(
            labels
                .map(|(name, values)| ((*name).to_owned(), owned(values)))
                .collect(),
        )
    }

    #[test]
    fn every_combination_has_a_number_and_comes_back_from_it() {
        let sets = sets(&[("a", &["x", "y"]), ("b.c", &["1"])]).unwrap();
        assert_eq!(sets.len(), 6);
        let mut seen = std::collections::HashSet::new();
        for a in ["x", "y", OTHER] {
            for b in ["1", OTHER] {
                let index = sets.index(&[a, b]);
                assert!(seen.insert(index));
                let expected = Labels::none()
                    .with("a", LabelValue::Shared(a.into()))
                    .with("b.c", LabelValue::Shared(b.into()));
                assert_eq!(sets.labels(index), expected);
                assert_eq!(sets.is_known(index), a != OTHER && b != OTHER);
            }
        }
        assert_eq!(sets.index(&["z", "2"]), sets.index(&[]));
        assert_eq!(sets.index(&["x", "1", "more"]), sets.index(&["x", "1"]));
    }

    #[test]
    fn no_label_is_one_series() {
        let none = sets(&[]).unwrap();
        assert_eq!(
            (none.len(), none.index(&["x"]), none.is_known(0)),
            (1, 0, true)
        );
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let many: Vec<String> = (0..50).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for labels in [
            &[("a.b", &["x"][..]), ("a_b", &["x"])][..],
            &[("le", &["x"])],
            &[("", &["x"])],
        ] {
            let refused = sets(labels).unwrap_err();
            assert!(matches!(refused, InstrumentError::Label(_)), "{refused}");
        }
        let refused = sets(&[("a", &many), ("b", &many)]).unwrap_err();
        assert_eq!(refused, InstrumentError::TooMany(51 * 51));
    }
}
