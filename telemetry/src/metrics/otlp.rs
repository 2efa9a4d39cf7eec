//! Writes a snapshot as `ExportMetricsServiceRequest`s, by the field numbers of
//! [metrics.proto](https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/metrics/v1/metrics.proto).

use super::exemplar::Exemplar;
use super::exponential::Exponential;
use super::family::{
    Audience, Data, Description, Distribution, Family, Kind, LabelValue, Labels, Point, Quantiles,
    Snapshot, Value,
};
use crate::span::proto;

/// Receivers take gRPC messages of 4 MiB; a request is closed once it is longer than half.
const MAX_REQUEST: usize = 2 * 1024 * 1024;

/// What the numbers of a family count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// The start of the process.
    Start,
    /// The last push that arrived.
    LastPush,
}

impl Since {
    /// `AggregationTemporality`.
    fn number(self) -> u64 {
        match self {
            Since::LastPush => 1,
            Since::Start => 2,
        }
    }
}

/// Nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// When the process began to count.
    pub(super) start: u64,
    /// When the snapshot was taken.
    pub(super) now: u64,
}

/// A whole `ExportMetricsServiceRequest`.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    /// How many of the snapshot's points for OTLP are in it, in their order.
    pub(super) points: usize,
}

/// What stands around the metrics of every request, encoded once.
#[derive(Debug)]
pub(super) struct Envelope {
    /// Field 1 of `ResourceMetrics`.
    pub(super) resource: Vec<u8>,
    /// Field 1 of `ScopeMetrics`.
    pub(super) scope: std::sync::Arc<[u8]>,
    pub(super) schema_url: &'static str,
}

/// The snapshot in as few requests as keep below the receivers' limit. `since` says what a
/// family's numbers count from.
pub(super) fn requests(
    envelope: &Envelope,
    snapshot: &Snapshot,
    since: impl Fn(&Description) -> Since,
    times: Times,
) -> Vec<Request> {
    let mut requests = Vec::new();
    let (mut metrics, mut carried) = (Vec::new(), 0);
    for family in snapshot.families_for(Audience::Otlp) {
        let family = Metric {
            family,
            since: since(&family.description),
            times,
        };
        let mut points = Vec::new();
        for point in &family.family.points {
            family.point(&mut points, point);
            carried += 1;
            if metrics.len() + points.len() > MAX_REQUEST {
                family.write(&mut metrics, &points);
                points.clear();
                requests.push(envelope.around(&metrics, carried));
                (metrics, carried) = (Vec::new(), 0);
            }
        }
        if !points.is_empty() {
            family.write(&mut metrics, &points);
        }
    }
    if !metrics.is_empty() {
        requests.push(envelope.around(&metrics, carried));
    }
    requests
}

impl Envelope {
    fn around(&self, metrics: &[u8], points: usize) -> Request {
        let mut scope = Vec::with_capacity(metrics.len() + 128);
        scope.extend_from_slice(&self.scope);
        scope.extend_from_slice(metrics);
        proto::bytes(&mut scope, 0x1a, self.schema_url.as_bytes());
        let mut resource = self.resource.clone();
        proto::bytes(&mut resource, 0x12, &scope);
        proto::bytes(&mut resource, 0x1a, self.schema_url.as_bytes());
        let mut bytes = Vec::with_capacity(resource.len() + 8);
        proto::bytes(&mut bytes, 0x0a, &resource);
        Request { bytes, points }
    }
}

/// One `Metric`; its points are field 1 of whatever data it has.
struct Metric<'a> {
    family: &'a Family,
    since: Since,
    times: Times,
}

impl Metric<'_> {
    fn write(&self, out: &mut Vec<u8>, points: &[u8]) {
        let Description {
            kind,
            name,
            unit,
            help,
            ..
        } = &self.family.description;
        let mut metric = Vec::with_capacity(points.len() + 256);
        proto::bytes(&mut metric, 0x0a, name.as_bytes());
        proto::bytes(&mut metric, 0x12, help.as_bytes());
        proto::bytes(&mut metric, 0x1a, unit.as_bytes());
        let mut data = points.to_vec();
        let tag = match kind {
            Kind::Gauge | Kind::Info => 0x2a,
            Kind::Counter | Kind::UntypedCounter => {
                varint(&mut data, 0x10, self.since.number());
                varint(&mut data, 0x18, 1);
                0x3a
            }
            Kind::UpDownCounter => {
                varint(&mut data, 0x10, self.since.number());
                0x3a
            }
            Kind::Histogram => {
                varint(&mut data, 0x10, self.since.number());
                if self.is_exponential() { 0x52 } else { 0x4a }
            }
            Kind::Summary => 0x5a,
        };
        proto::bytes(&mut metric, tag, &data);
        proto::bytes(out, 0x12, &metric);
    }

    /// All points of a family are of one form.
    fn is_exponential(&self) -> bool {
        let first = self.family.points.first();
        first.is_some_and(|point| match &point.data {
            Data::Distribution(distribution) => distribution.exponential.is_some(),
            Data::Number(_) | Data::Quantiles(_) => false,
        })
    }

    fn point(&self, out: &mut Vec<u8>, point: &Point) {
        let mut message = Vec::new();
        match &point.data {
            Data::Number(value) => {
                attributes(&mut message, 0x3a, &point.labels);
                self.times(&mut message, point);
                number(&mut message, *value);
            }
            Data::Distribution(distribution) => match &distribution.exponential {
                None => {
                    attributes(&mut message, 0x4a, &point.labels);
                    self.times(&mut message, point);
                    histogram(&mut message, distribution);
                }
                Some(buckets) => {
                    attributes(&mut message, 0x0a, &point.labels);
                    self.times(&mut message, point);
                    exponential_histogram(&mut message, distribution, buckets);
                }
            },
            Data::Quantiles(quantiles) => {
                attributes(&mut message, 0x3a, &point.labels);
                self.times(&mut message, point);
                summary(&mut message, quantiles);
            }
        }
        proto::bytes(out, 0x0a, &message);
    }

    fn times(&self, out: &mut Vec<u8>, point: &Point) {
        if self.family.description.kind != Kind::Gauge {
            let since = match point.since_nanos {
                0 => self.times.start,
                since => since,
            };
            fixed(out, 0x11, since);
        }
        let own = u64::try_from(point.at_millis).ok().filter(|at| *at > 0);
        fixed(
            out,
            0x19,
            own.map_or(self.times.now, |at| at.saturating_mul(1_000_000)),
        );
    }
}

fn attributes(out: &mut Vec<u8>, tag: u8, labels: &Labels) {
    for (name, value) in labels.iter() {
        match value {
            LabelValue::Static(text) => proto::attribute(out, tag, name, *text),
            LabelValue::Shared(text) => proto::attribute(out, tag, name, &**text),
            LabelValue::Number(number) => proto::attribute(out, tag, name, i64::from(*number)),
        }
    }
}

fn number(out: &mut Vec<u8>, value: Value) {
    match value {
        Value::Int(value) => {
            let bounded = value.clamp(i64::MIN.into(), i64::MAX.into());
            fixed(out, 0x31, bounded as i64 as u64);
        }
        Value::Float(value) => fixed(out, 0x21, value.to_bits()),
    }
}

fn histogram(out: &mut Vec<u8>, distribution: &Distribution) {
    fixed(out, 0x21, distribution.count());
    fixed(out, 0x29, distribution.sum.to_bits());
    packed(out, 0x32, distribution.counts.iter().copied());
    packed(
        out,
        0x3a,
        distribution.bounds.iter().map(|bound| bound.to_bits()),
    );
    for (_, one) in &distribution.exemplars {
        exemplar(out, 0x42, one);
    }
}

fn exponential_histogram(out: &mut Vec<u8>, distribution: &Distribution, buckets: &Exponential) {
    fixed(out, 0x21, buckets.total());
    fixed(out, 0x29, distribution.sum.to_bits());
    varint(out, 0x30, zigzag(buckets.scale()));
    fixed(out, 0x39, buckets.zero());
    let (offset, counts) = buckets.buckets();
    let (mut positive, mut packed) = (Vec::new(), Vec::with_capacity(2 * counts.len()));
    for count in counts {
        proto::varint(&mut packed, *count);
    }
    varint(&mut positive, 0x08, zigzag(offset));
    proto::bytes(&mut positive, 0x12, &packed);
    proto::bytes(out, 0x42, &positive);
    for (_, one) in &distribution.exemplars {
        exemplar(out, 0x5a, one);
    }
    if let Some((least, most)) = buckets.range() {
        fixed(out, 0x61, least.to_bits());
        fixed(out, 0x69, most.to_bits());
    }
}

/// How a `sint32` travels.
fn zigzag(number: i32) -> u64 {
    u64::from(((number << 1) ^ (number >> 31)) as u32)
}

fn summary(out: &mut Vec<u8>, quantiles: &Quantiles) {
    fixed(out, 0x21, quantiles.count);
    fixed(out, 0x29, quantiles.sum.to_bits());
    for (quantile, value) in &quantiles.values {
        let mut pair = Vec::with_capacity(18);
        fixed(&mut pair, 0x09, quantile.to_bits());
        fixed(&mut pair, 0x11, value.to_bits());
        proto::bytes(out, 0x32, &pair);
    }
}

fn exemplar(out: &mut Vec<u8>, tag: u8, exemplar: &Exemplar) {
    let mut message = Vec::with_capacity(46);
    fixed(&mut message, 0x11, exemplar.at_nanos);
    fixed(&mut message, 0x19, exemplar.value.to_bits());
    if exemplar.trace_id != 0 {
        proto::bytes(&mut message, 0x22, &exemplar.span_id.to_be_bytes());
        proto::bytes(&mut message, 0x2a, &exemplar.trace_id.to_be_bytes());
    }
    proto::bytes(out, tag, &message);
}

fn varint(out: &mut Vec<u8>, tag: u8, value: u64) {
    out.push(tag);
    proto::varint(out, value);
}

/// Eight bytes: a `fixed64`, an `sfixed64` or the bits of a `double`.
fn fixed(out: &mut Vec<u8>, tag: u8, bits: u64) {
    out.push(tag);
    out.extend_from_slice(&bits.to_le_bytes());
}

fn packed(out: &mut Vec<u8>, tag: u8, values: impl ExactSizeIterator<Item = u64>) {
    out.push(tag);
    proto::varint(out, values.len() as u64 * 8);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::metrics::v1::metric;
    use prost::Message;
    use std::sync::Arc;

    fn decoded(snapshot: &Snapshot) -> Vec<ExportMetricsServiceRequest> {
        let envelope = Envelope {
            resource: Vec::new(),
            scope: Arc::new([]),
            schema_url: "https://opentelemetry.io/schemas/1.44.0",
        };
        let times = Times { start: 1, now: 2 };
        let requests = requests(&envelope, snapshot, |_| Since::Start, times);
        let points: usize = requests.iter().map(|request| request.points).sum();
        let all = snapshot.families_for(Audience::Otlp);
        assert_eq!(points, all.map(|family| family.points.len()).sum::<usize>());
        let decode = |request: Request| {
            assert!(request.bytes.len() < 4 * 1024 * 1024);
            ExportMetricsServiceRequest::decode(&request.bytes[..]).unwrap()
        };
        requests.into_iter().map(decode).collect()
    }

    #[test]
    fn more_than_a_receiver_takes_at_once_goes_in_parts() {
        let mut all = Snapshot::default();
        let described = |name| Description::new(Kind::Counter, name, "", "");
        let family = all.family(described("orders")).unwrap();
        for number in 0..30_000_u64 {
            let text: Arc<str> = format!("{number:0200}").into();
            family.number(Labels::none().with("order.id", text), number);
        }
        all.number(described("last"), 1_u64);
        let requests = decoded(&all);
        assert!(requests.len() > 1);
        let mut numbers = Vec::new();
        for request in requests {
            let resource = &request.resource_metrics[0];
            assert_eq!(
                resource.schema_url,
                "https://opentelemetry.io/schemas/1.44.0"
            );
            for metric in &resource.scope_metrics[0].metrics {
                let Some(metric::Data::Sum(sum)) = &metric.data else {
                    panic!("not a sum: {metric:?}")
                };
                if metric.name == "orders" {
                    let points = sum.data_points.iter();
                    numbers.extend(points.map(|point| point.value.unwrap()));
                }
            }
        }
        use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value::AsInt;
        assert_eq!(numbers, (0..30_000).map(AsInt).collect::<Vec<_>>());
    }

    #[test]
    fn quantiles_and_times_of_their_own_are_kept() {
        let mut all = Snapshot::default();
        let family = all
            .family(Description::new(Kind::Summary, "wait", "s", ""))
            .unwrap();
        family.points.push(Point {
            labels: Labels::none(),
            data: Data::Quantiles(Quantiles {
                values: vec![(0.5, 1.5), (0.99, 9.0)],
                sum: 20.0,
                count: 7,
            }),
            at_millis: 1_700_000_000_123,
            since_nanos: 0,
        });
        let requests = decoded(&all);
        let metric = &requests[0].resource_metrics[0].scope_metrics[0].metrics[0];
        let Some(metric::Data::Summary(summary)) = &metric.data else {
            panic!("not a summary: {metric:?}")
        };
        let point = &summary.data_points[0];
        assert_eq!((point.count, point.sum), (7, 20.0));
        assert_eq!(point.quantile_values[1].value, 9.0);
        assert_eq!(point.quantile_values[1].quantile, 0.99);
        assert_eq!(point.time_unix_nano, 1_700_000_000_123_000_000);
        assert_eq!(point.start_time_unix_nano, 1);
    }
}
