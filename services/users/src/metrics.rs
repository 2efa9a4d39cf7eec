//! What this service counts beyond its HTTP requests. Every series is born at zero, so that a
//! rate sees the first event.

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::error::Error;

#[derive(Clone)]
pub(crate) struct Metrics {
    sign_ups: IntCounter,
    log_ins: IntCounterVec,
    refreshes: IntCounterVec,
    passwords: PasswordMetrics,
}

#[derive(Clone)]
pub(crate) struct PasswordMetrics {
    pub(crate) hash_seconds: Histogram,
    pub(crate) waiting: IntGauge,
}

const LOG_IN_OUTCOMES: [&str; 4] = ["success", "invalid_credentials", "busy", "error"];
const REFRESH_OUTCOMES: [&str; 4] = ["success", "invalid", "reused", "error"];

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let sign_ups = IntCounter::new("citywatch_users_sign_ups_total", "Members who signed up.")?;
        let log_ins = counters(
            "citywatch_users_log_ins_total",
            "Log-ins by how they ended.",
            &LOG_IN_OUTCOMES,
        )?;
        let refreshes = counters(
            "citywatch_users_refreshes_total",
            "Refreshes by how they ended; a reused token revokes its session.",
            &REFRESH_OUTCOMES,
        )?;
        let hash_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "citywatch_users_password_hash_seconds",
                "Time on a thread for one argon2id, without the wait for a turn.",
            )
            .buckets(vec![0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]),
        )?;
        let waiting = IntGauge::new(
            "citywatch_users_password_hash_waiting",
            "Requests that wait for their turn to have a password hashed.",
        )?;
        registry.register(Box::new(sign_ups.clone()))?;
        registry.register(Box::new(log_ins.clone()))?;
        registry.register(Box::new(refreshes.clone()))?;
        registry.register(Box::new(hash_seconds.clone()))?;
        registry.register(Box::new(waiting.clone()))?;
        Ok(Self {
            sign_ups,
            log_ins,
            refreshes,
            passwords: PasswordMetrics {
                hash_seconds,
                waiting,
            },
        })
    }

    pub(crate) fn passwords(&self) -> PasswordMetrics {
        self.passwords.clone()
    }

    pub(crate) fn signed_up(&self) {
        self.sign_ups.inc();
    }

    pub(crate) fn logged_in<T>(&self, outcome: &Result<T, &Error>) {
        let outcome = match outcome {
            Ok(_) => "success",
            Err(Error::InvalidCredentials) => "invalid_credentials",
            Err(Error::Busy) => "busy",
            Err(_) => "error",
        };
        self.log_ins.with_label_values(&[outcome]).inc();
    }

    pub(crate) fn refreshed<T>(&self, outcome: &Result<T, &Error>) {
        let outcome = match outcome {
            Ok(_) => "success",
            Err(Error::InvalidRefreshToken) => "invalid",
            Err(Error::RefreshTokenReused) => "reused",
            Err(_) => "error",
        };
        self.refreshes.with_label_values(&[outcome]).inc();
    }
}

fn counters(name: &str, help: &str, outcomes: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    let counters = IntCounterVec::new(Opts::new(name, help), &["outcome"])?;
    for outcome in outcomes {
        counters.with_label_values(&[outcome]);
    }
    Ok(counters)
}
