//! Everything that a value, a name or a choice can be, by seed.

use opentelemetry::{Array, StringValue, Value};
use telemetry::context::{SpanId, TraceId};

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    pub(super) fn maybe<T>(&mut self, value: impl FnOnce(&mut Random) -> T) -> Option<T> {
        if self.one_in(2) {
            Some(value(self))
        } else {
            None
        }
    }

    /// Empty, short, at the borders of a length's encoding, long, and of all planes of Unicode.
    pub(super) fn text(&mut self) -> String {
        let whole = self.pick(&[
            "",
            "a",
            "text",
            "größe",
            "e\u{301}\u{327}",
            "日本語",
            "😀",
            "👩‍👩‍👧",
            "\0",
            "\u{10ffff}",
            "a \"quoted\"\nline",
            "\u{202e}",
        ]);
        match self.below(400) {
            0 => whole.repeat(5_000),
            1..20 => "x".repeat(self.pick(&[110, 118, 120, 122, 126, 127, 128, 129, 300])),
            20..60 => whole.repeat(40),
            _ => whole.to_owned(),
        }
    }

    pub(super) fn int(&mut self) -> i64 {
        let any = self.next() as i64;
        self.pick(&[0, 1, -1, 127, 128, i64::MAX, i64::MIN, any, any >> 40])
    }

    pub(super) fn float(&mut self) -> f64 {
        let any = f64::from_bits(self.next());
        let odd = [0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        if self.one_in(2) { any } else { self.pick(&odd) }
    }

    /// A value of the OpenTelemetry API.
    pub(super) fn value(&mut self) -> Value {
        fn list<T>(random: &mut Random, one: impl Fn(&mut Random) -> T) -> Vec<T> {
            (0..random.below(5)).map(|_| one(random)).collect()
        }
        match self.below(9) {
            0 => Value::Bool(self.one_in(2)),
            1 => Value::I64(self.int()),
            2 => Value::F64(self.float()),
            3 => Value::Array(Array::Bool(list(self, |random| random.one_in(2)))),
            4 => Value::Array(Array::I64(list(self, Random::int))),
            5 => Value::Array(Array::F64(list(self, Random::float))),
            6 => Value::Array(Array::String(list(self, |random| {
                StringValue::from(random.text())
            }))),
            _ => Value::String(self.text().into()),
        }
    }

    pub(super) fn trace_id(&mut self) -> TraceId {
        TraceId(u128::from(self.next()) << 64 | u128::from(self.next() | 1))
    }

    pub(super) fn span_id(&mut self) -> SpanId {
        SpanId(self.next() | 1)
    }
}
