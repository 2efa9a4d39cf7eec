//! A histogram whose bounds follow the values: base-2 exponential buckets by the
//! [data model](https://opentelemetry.io/docs/specs/otel/metrics/data-model/#exponentialhistogram),
//! in the size that the
//! [SDK specification](https://opentelemetry.io/docs/specs/otel/metrics/sdk/#base2-exponential-bucket-histogram-aggregation)
//! has by default.
//!
//! With scale `s` a bucket `i` holds values above `2^(i/2^s)` and up to `2^((i+1)/2^s)`. The scale
//! is always the greatest for which all values have room, so it depends on the smallest and the
//! greatest alone: however measurements are spread over threads, their sum is the same histogram.

use crate::settings::HistogramAggregation;

/// Buckets at most.
const MAX_SIZE: i32 = 160;
/// A bucket's bounds are then less than a millionth apart.
const MAX_SCALE: i32 = 20;

/// Counts of values from zero on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Exponential {
    scale: i32,
    /// Of the first bucket; a histogram without values above zero has none.
    offset: i32,
    /// The first and the last are not empty.
    counts: Vec<u64>,
    zero: u64,
    /// The smallest and the greatest value, if they are known.
    range: Option<(f64, f64)>,
}

impl Default for Exponential {
    fn default() -> Exponential {
        Exponential {
            scale: MAX_SCALE,
            offset: 0,
            counts: Vec::new(),
            zero: 0,
            range: None,
        }
    }
}

impl HistogramAggregation {
    /// An empty histogram, if that is what was chosen.
    pub(super) fn exponential(self) -> Option<Exponential> {
        match self {
            HistogramAggregation::ExplicitBucket => None,
            HistogramAggregation::Base2Exponential => Some(Exponential::default()),
        }
    }
}

impl Exponential {
    /// Counts one value. Below zero, infinite and not a number are not counted.
    pub(super) fn record(&mut self, value: f64) {
        if !(value.is_finite() && value >= 0.0) {
            return;
        }
        let (least, most) = self.range.unwrap_or((value, value));
        self.range = Some((least.min(value), most.max(value)));
        if value == 0.0 {
            self.zero += 1;
            return;
        }
        let finest = finest_bucket(value);
        let bucket = finest >> (MAX_SCALE - self.scale);
        self.make_room(bucket, bucket);
        self.count(finest >> (MAX_SCALE - self.scale), 1);
    }

    /// Adds all that another one has counted.
    pub(super) fn merge(&mut self, other: &Exponential) {
        self.zero += other.zero;
        self.range = match (self.range, other.range) {
            (Some((least, most)), Some((low, high))) => Some((least.min(low), most.max(high))),
            (range, None) | (None, range) => range,
        };
        if other.counts.is_empty() {
            return;
        }
        self.coarsen_to(other.scale);
        let finer = other.scale - self.scale;
        self.make_room(other.offset >> finer, other.last() >> finer);
        let finer = other.scale - self.scale;
        for (bucket, count) in (other.offset..).zip(&other.counts) {
            self.count(bucket >> finer, *count);
        }
    }

    /// Takes away what it had counted before. False, and nothing is done, if it never had: it was
    /// begun anew.
    pub(super) fn subtract(&mut self, before: &Exponential) -> bool {
        let mut before = before.clone();
        if !before.counts.is_empty() {
            before.coarsen_to(self.scale);
        }
        let mut rest = self.clone();
        let had = |bucket: i32| -> u64 {
            let at = usize::try_from(bucket - before.offset).ok();
            at.and_then(|at| before.counts.get(at))
                .copied()
                .unwrap_or(0)
        };
        let covered = before.counts.is_empty()
            || (before.scale == self.scale
                && self.offset <= before.offset
                && before.last() <= self.last());
        let grew = (self.offset..)
            .zip(&self.counts)
            .all(|(bucket, count)| *count >= had(bucket));
        if !(covered && grew && self.zero >= before.zero) {
            return false;
        }
        for (bucket, count) in (self.offset..).zip(&mut rest.counts) {
            *count -= had(bucket);
        }
        rest.zero -= before.zero;
        rest.range = None;
        rest.trim();
        *self = rest;
        true
    }

    pub(super) fn total(&self) -> u64 {
        self.zero + self.counts.iter().sum::<u64>()
    }

    pub(super) fn scale(&self) -> i32 {
        self.scale
    }

    pub(super) fn zero(&self) -> u64 {
        self.zero
    }

    /// The index of the first bucket, and the buckets' counts.
    pub(super) fn buckets(&self) -> (i32, &[u64]) {
        (self.offset, &self.counts)
    }

    pub(super) fn range(&self) -> Option<(f64, f64)> {
        self.range
    }

    fn last(&self) -> i32 {
        self.offset + self.counts.len() as i32 - 1
    }

    /// Makes the scale as small as needed to have these buckets of the present scale as well.
    fn make_room(&mut self, first: i32, last: i32) {
        let (mut low, mut high) = (first, last);
        if !self.counts.is_empty() {
            (low, high) = (low.min(self.offset), high.max(self.last()));
        }
        let mut scale = self.scale;
        while high - low >= MAX_SIZE {
            (low, high) = (low >> 1, high >> 1);
            scale -= 1;
        }
        self.coarsen_to(scale);
        if self.counts.is_empty() {
            self.offset = low;
        }
        let missing = (self.offset - low) as usize;
        self.counts.splice(0..0, std::iter::repeat_n(0, missing));
        self.offset = low;
        self.counts.resize((high - low + 1) as usize, 0);
    }

    /// Merges buckets until the scale is no greater than this.
    fn coarsen_to(&mut self, scale: i32) {
        let coarser = self.scale - scale;
        if coarser <= 0 {
            return;
        }
        self.scale = scale;
        if self.counts.is_empty() {
            return;
        }
        let (offset, last) = (self.offset >> coarser, self.last() >> coarser);
        let mut counts = vec![0; (last - offset + 1) as usize];
        for (bucket, count) in (self.offset..).zip(&self.counts) {
            counts[((bucket >> coarser) - offset) as usize] += count;
        }
        (self.offset, self.counts) = (offset, counts);
    }

    /// The bucket has room.
    fn count(&mut self, bucket: i32, more: u64) {
        self.counts[(bucket - self.offset) as usize] += more;
    }

    fn trim(&mut self) {
        let used = |count: &u64| *count > 0;
        let first = self.counts.iter().position(used).unwrap_or(0);
        let end = self
            .counts
            .iter()
            .rposition(used)
            .map_or(0, |last| last + 1);
        self.counts.truncate(end);
        self.counts.drain(..first.min(end));
        self.offset += first as i32;
    }
}

/// The bucket of the greatest scale. That of a smaller one is the same number without its last
/// bits, whatever was rounded here.
fn finest_bucket(value: f64) -> i32 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = value.max(f64::MIN_POSITIVE).to_bits();
    let exponent = (bits >> 52) as i32 - 1023;
    let first = exponent << MAX_SCALE;
    // A power of two is the upper bound of the bucket below.
    if bits & MANTISSA == 0 {
        return first - 1;
    }
    let fraction = f64::from_bits(1023 << 52 | bits & MANTISSA);
    let buckets = 1_i32 << MAX_SCALE;
    let within = (fraction.log2() * f64::from(buckets)).ceil() as i32 - 1;
    first + within.clamp(0, buckets - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }

        /// Values close together, far apart, on bounds, of every size there is.
        fn values(&mut self) -> Vec<f64> {
            let many = self.next() % 300;
            let kind = self.next() % 4;
            (0..many)
                .map(|_| match kind {
                    0 => 0.2 + (self.next() % 1_000) as f64 * 1e-6,
                    1 => 2_f64.powi((self.next() % 60) as i32 - 30),
                    2 => f64::from_bits(self.next() % f64::INFINITY.to_bits()),
                    _ => (self.next() % 10_000) as f64 / 100.0,
                })
                .collect()
        }
    }

    fn of(values: &[f64]) -> Exponential {
        let mut all = Exponential::default();
        for value in values {
            all.record(*value);
        }
        all
    }

    /// The bounds, each counted anew from all values.
    fn assert_counts(all: &Exponential, values: &[f64]) {
        assert_eq!(all.total(), values.len() as u64);
        let zeros = values.iter().filter(|value| **value == 0.0).count();
        assert_eq!(all.zero(), zeros as u64);
        let (offset, counts) = all.buckets();
        assert!(counts.len() <= MAX_SIZE as usize);
        // In logarithms, for the greatest bounds are no numbers any more.
        let width = 2_f64.powi(-all.scale());
        for (bucket, count) in (offset..).zip(counts) {
            let (low, high) = (f64::from(bucket) * width, f64::from(bucket + 1) * width);
            let slack = 1e-12 * low.abs().max(1.0);
            let within = |margin: f64| {
                let logarithms = values.iter().filter(|value| **value > 0.0);
                let logarithms = logarithms.map(|value| value.max(f64::MIN_POSITIVE).log2());
                let inside = logarithms.filter(|log| low - margin < *log && *log <= high + margin);
                inside.count() as u64
            };
            let (least, most) = (within(-slack), within(slack));
            assert!(
                least <= *count && *count <= most,
                "{bucket} {least} {count} {most}"
            );
        }
    }

    #[test]
    fn every_value_is_in_the_bucket_of_its_size() {
        let mut random = Random(1);
        for _ in 0..2_000 {
            let values = random.values();
            assert_counts(&of(&values), &values);
        }
    }

    #[test]
    fn powers_of_two_are_upper_bounds_at_every_scale() {
        for exponent in -1022..=1023 {
            let bucket = finest_bucket(2_f64.powi(exponent));
            for scale in -10..=MAX_SCALE {
                let expected = match scale {
                    0.. => (exponent << scale) - 1,
                    _ => (exponent - 1) >> -scale,
                };
                assert_eq!(
                    bucket >> (MAX_SCALE - scale),
                    expected,
                    "{exponent} {scale}"
                );
            }
        }
    }

    #[test]
    fn the_scale_is_no_smaller_than_needed() {
        assert_eq!(of(&[0.25]).scale(), MAX_SCALE);
        let mut random = Random(2);
        for _ in 0..2_000 {
            let all = of(&random.values());
            let (offset, counts) = all.buckets();
            if all.scale() == MAX_SCALE {
                continue;
            }
            assert!(counts.first() > Some(&0) && counts.last() > Some(&0));
            let finer = 2 * offset..2 * all.last() + 2;
            assert!(finer.len() > MAX_SIZE as usize, "{all:?}");
        }
        let whole = of(&[f64::MIN_POSITIVE, f64::MAX]);
        assert!(whole.scale() >= -10, "{whole:?}");
    }

    #[test]
    fn however_values_are_spread_the_sum_is_the_same() {
        let mut random = Random(3);
        for _ in 0..2_000 {
            let values = random.values();
            let mut parts = vec![Exponential::default(); 4];
            for value in &values {
                parts[(random.next() % 4) as usize].record(*value);
            }
            let mut sum = Exponential::default();
            for part in &parts {
                sum.merge(part);
            }
            assert_eq!(sum, of(&values));
        }
    }

    #[test]
    fn what_was_told_before_can_be_taken_away() {
        let mut random = Random(4);
        for _ in 0..2_000 {
            let (before, after) = (random.values(), random.values());
            let (mut all, told) = (of(&[&before[..], &after].concat()), of(&before));
            let scale = all.scale();
            assert!(all.subtract(&told));
            let mut expected = of(&after);
            expected.coarsen_to(scale);
            assert_eq!((all.scale(), all.zero()), (scale, expected.zero()));
            let empty = expected.buckets().1.is_empty();
            assert_eq!(all.buckets().1, expected.buckets().1);
            assert!(empty || all.buckets().0 == expected.buckets().0);
        }
        let mut anew = of(&[1.0]);
        assert!(!anew.subtract(&of(&[1.0, 1.0])));
        assert!(!anew.subtract(&of(&[4.0])));
        assert_eq!(anew, of(&[1.0]));
    }

    #[test]
    fn what_is_no_size_is_not_counted() {
        let all = of(&[f64::NAN, f64::INFINITY, -1.0]);
        assert_eq!(all, Exponential::default());
        let all = of(&[0.0, 3.0, 0.0]);
        assert_eq!((all.zero(), all.total()), (2, 3));
        assert_eq!(all.range(), Some((0.0, 3.0)));
    }
}
