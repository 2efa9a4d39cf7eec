//! What repetitions say together.

/// Figures of several repetitions, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series(pub(crate) Vec<f64>);

impl Series {
    /// The smallest: what is left when nothing else was in the way.
    pub(crate) fn best(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The value that a share of the others lies below, interpolated.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let place = share * (sorted.len().saturating_sub(1)) as f64;
        let below = sorted.get(place.floor() as usize).copied();
        let above = sorted.get(place.ceil() as usize).copied();
        match (below, above) {
            (Some(below), Some(above)) => below + (above - below) * place.fract(),
            _ => f64::NAN,
        }
    }

    /// Pairs the repetitions of two.
    pub(crate) fn with(&self, other: &Series, join: impl Fn(f64, f64) -> f64) -> Series {
        let pairs = self.0.iter().zip(&other.0);
        Series(pairs.map(|(&one, &two)| join(one, two)).collect())
    }

    /// Median and quartiles, as `median (lower to upper)`.
    pub(crate) fn spread(&self, digits: usize) -> String {
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| self.quantile(share));
        format!("{middle:.digits$} ({low:.digits$} to {high:.digits$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated() {
        let series = Series(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!(series.best(), 1.0);
        assert_eq!(series.quantile(0.5), 2.5);
        assert_eq!(series.spread(1), "2.5 (1.8 to 3.2)");
        assert!(Series::default().quantile(0.5).is_nan());
    }
}
