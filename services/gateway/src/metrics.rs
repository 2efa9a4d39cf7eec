//! What only a gateway counts; requests, errors and durations come from the telemetry edge.
//! Every label value is from a closed set and every series is there from the start.

use identity::Verifier;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::fallback;
use crate::refusal::Refusal;

/// Why an upstream attempt was made again.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Retry {
    /// The instance did not accept a connection: nothing was sent.
    Refused,
    /// A kept connection turned out closed before the request was written.
    Unsent,
    /// The connection ended before the first byte of the answer.
    NoAnswer,
}

#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    rejections: Vec<IntCounter>,
    limited_by_address: IntCounter,
    limited_by_member: IntCounter,
    retries: [IntCounter; 3],
    fallbacks: [IntCounter; fallback::REASONS.len()],
    pub(crate) idle_upstreams: IntGauge,
    pub(crate) busy_upstreams: IntGauge,
    pub(crate) connections: IntGauge,
    pub(crate) rate_keys: IntGauge,
}

impl Metrics {
    /// # Errors
    /// A metric of the same name is there already.
    pub(crate) fn new(registry: &Registry, members: &Verifier) -> Result<Self, prometheus::Error> {
        registry.register(Box::new(SignatureChecks::new(members.clone())?))?;
        let counters = |name: &str, help: &str, label: &str| {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let rejections = counters(
            "citywatch_gateway_rejections_total",
            "Requests that no service answered, by the code of the problem.",
            "reason",
        )?;
        let limited = counters(
            "citywatch_gateway_rate_limited_total",
            "Requests refused by a rate limit, by what was counted.",
            "scope",
        )?;
        let retries = counters(
            "citywatch_gateway_upstream_retries_total",
            "Upstream attempts that were made again, by the reason.",
            "reason",
        )?;
        let fallbacks = counters(
            "citywatch_gateway_fallbacks_total",
            "Requests that a route answered in its service's stead, by the reason.",
            "reason",
        )?;
        let upstreams = IntGaugeVec::new(
            Opts::new(
                "citywatch_gateway_upstream_connections",
                "Connections to instances, by whether a request is under way on them.",
            ),
            &["state"],
        )?;
        registry.register(Box::new(upstreams.clone()))?;
        Ok(Self {
            rejections: Refusal::CODES
                .iter()
                .map(|code| rejections.with_label_values(&[code]))
                .collect(),
            limited_by_address: limited.with_label_values(&["address"]),
            limited_by_member: limited.with_label_values(&["member"]),
            retries: ["connection_refused", "unsent", "no_answer"]
                .map(|reason| retries.with_label_values(&[reason])),
            fallbacks: fallback::REASONS.map(|reason| fallbacks.with_label_values(&[reason])),
            idle_upstreams: upstreams.with_label_values(&["idle"]),
            busy_upstreams: upstreams.with_label_values(&["busy"]),
            connections: gauge(
                "citywatch_gateway_connections",
                "Open connections of clients.",
            )?,
            rate_keys: gauge(
                "citywatch_gateway_rate_limit_keys",
                "Members and addresses whose rate is remembered.",
            )?,
        })
    }

    pub(crate) fn rejected(&self, code: &'static str) {
        let index = Refusal::CODES.iter().position(|known| *known == code);
        if let Some(counter) = index.and_then(|index| self.rejections.get(index)) {
            counter.inc();
        }
    }

    pub(crate) fn fell_back(&self, reason: &'static str) {
        let mut reasons = fallback::REASONS.iter();
        if let Some(index) = reasons.position(|known| *known == reason) {
            self.fallbacks[index].inc();
        }
    }

    pub(crate) fn limited(&self, by_member: bool) {
        if by_member {
            self.limited_by_member.inc();
        } else {
            self.limited_by_address.inc();
        }
    }

    pub(crate) fn retried(&self, why: Retry) {
        self.retries[why as usize].inc();
    }
}

/// Signatures checked, as the verifier counts them: the dearest step of a request, by far, so
/// that whoever makes the gateway check many is seen.
struct SignatureChecks {
    members: Verifier,
    options: Opts,
    /// For its description only.
    counter: IntCounter,
}

impl SignatureChecks {
    fn new(members: Verifier) -> Result<Self, prometheus::Error> {
        let options = Opts::new(
            "citywatch_gateway_signatures_checked_total",
            "Signatures of members' tokens that were checked; remembered tokens and unknown keys \
             cost none.",
        );
        let counter = IntCounter::with_opts(options.clone())?;
        Ok(Self {
            members,
            options,
            counter,
        })
    }
}

impl Collector for SignatureChecks {
    fn desc(&self) -> Vec<&Desc> {
        self.counter.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        // A fresh counter a page: pages that are made at the same time do not add up.
        let Ok(counter) = IntCounter::with_opts(self.options.clone()) else {
            return Vec::new();
        };
        counter.inc_by(self.members.signatures_checked());
        counter.collect()
    }
}
