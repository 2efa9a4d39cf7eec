//! Central configuration at work: registry documents become settings and trusted keys, at once
//! and without a restart. What is known is kept on disk, so that a service can start, verify
//! tokens and obey its limits while the registry is away.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use discovery::{Documents, RegistryClient};
use identity::KeySet;
use prometheus::IntCounterVec;
use telemetry::Telemetry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::keys::Trust;
use crate::{
    Service,
    settings::{self, CITY, Common, Live, Section, Writer},
};

/// JWKS of the keys that sign members' tokens.
const MEMBER_KEYS: &str = "jwks.members";
/// JWKS of the services' own keys.
const SERVICE_KEYS: &str = "jwks.services";
/// Unknown key ids make us ask the registry at most this often, however many come.
const REFETCH_PAUSE: Duration = Duration::from_secs(10);

pub(super) struct Steering<S> {
    service: &'static str,
    telemetry: Telemetry,
    registry: Option<RegistryClient>,
    documents: Documents,
    cache: PathBuf,
    base: (Common, S),
    common: Writer<Common>,
    own: Writer<S>,
    member_keys: KeySet,
    service_keys: KeySet,
    log: String,
    outcomes: IntCounterVec,
}

impl<S: Section> Steering<S> {
    /// Starts from what an earlier process kept.
    pub(super) fn start<T: Service<Settings = S>>(
        telemetry: &Telemetry,
        registry: Option<RegistryClient>,
        trust: &Trust,
        common: Common,
        own: S,
    ) -> (Self, Live<Common>, Live<S>) {
        let (common_writer, live_common) = Live::new(common.clone());
        let (own_writer, live_own) = Live::new(own.clone());
        let mut steering = Self {
            service: T::NAME,
            telemetry: telemetry.clone(),
            documents: registry
                .as_ref()
                .map(|client| client.documents().clone())
                .unwrap_or_default(),
            registry,
            cache: common
                .data_dir
                .join("cache")
                .join(format!("{}.json", T::NAME)),
            log: common.log.clone(),
            base: (common, own),
            common: common_writer,
            own: own_writer,
            member_keys: trust.member_keys.clone(),
            service_keys: trust.service_keys.clone(),
            outcomes: outcomes(telemetry),
        };
        steering.restore();
        (steering, live_common, live_own)
    }

    fn names(&self) -> [&'static str; 4] {
        [CITY, self.service, MEMBER_KEYS, SERVICE_KEYS]
    }

    /// Asks for every document once, so that a service starts with what is in force. A registry
    /// that does not answer costs no more than `patience`.
    pub(super) async fn first_documents(&mut self, patience: Duration) {
        let Some(client) = &self.registry else { return };
        let asked = self.names().map(|name| client.refetch(name));
        let all = futures_util::future::join_all(asked);
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!("the registry does not answer; using what is known");
        }
        self.apply();
    }

    /// Follows every document until `stopping` fires.
    pub(super) fn spawn(mut self, tasks: &mut JoinSet<String>, stopping: CancellationToken) {
        let Some(client) = self.registry.clone() else {
            return;
        };
        let mut changes = self.documents.changes();
        // Holding the receivers is what keeps the documents followed.
        let followed = self.names().map(|name| client.watch_document(name));
        tasks.spawn(async move {
            let member_keys = self.member_keys.clone();
            let mut refetched: Option<Instant> = None;
            loop {
                tokio::select! {
                    () = stopping.cancelled() => break,
                    () = member_keys.unknown_kid().notified() => {
                        if refetched.is_none_or(|last| last.elapsed() >= REFETCH_PAUSE) {
                            refetched = Some(Instant::now());
                            if let Err(error) = client.refetch(MEMBER_KEYS).await {
                                tracing::debug!(%error, "members' keys not fetched");
                            }
                        }
                    }
                    Ok(()) = changes.changed() => self.apply(),
                }
            }
            drop(followed);
            "steering".to_owned()
        });
    }

    /// Makes settings and keys what the documents say; what cannot be used changes nothing.
    fn apply(&mut self) {
        self.apply_keys(MEMBER_KEYS, &self.member_keys);
        self.apply_keys(SERVICE_KEYS, &self.service_keys);
        let (mut common, mut own) = self.base.clone();
        for name in [CITY, self.service] {
            let Some(document) = self.documents.known(name) else {
                continue;
            };
            let outcome = settings::apply_document(&mut common, &mut own, &document.value);
            match outcome {
                Ok(0) => {}
                Ok(ignored) => self.count("ignored_keys", ignored),
                Err(error) => return self.refuse(name, &error.to_string()),
            }
        }
        if let Err(message) = common.validate().and_then(|()| own.validate()) {
            return self.refuse(self.service, &message);
        }
        if common.log != self.log {
            if let Err(error) = self.telemetry.set_log_filter(&common.log) {
                return self.refuse(self.service, &format!("`log`: {error}"));
            }
            self.log.clone_from(&common.log);
            tracing::info!(log = self.log, "log filter changed");
        }
        self.common.store(common);
        self.own.store(own);
        self.count("applied", 1);
        self.keep();
    }

    fn apply_keys(&self, name: &str, keys: &KeySet) {
        let Some(document) = self.documents.known(name) else {
            return;
        };
        match serde_json::from_value(document.value.clone()) {
            Ok(jwks) => keys.replace(jwks),
            Err(error) => self.refuse(name, &error.to_string()),
        }
    }

    fn refuse(&self, document: &str, message: &str) {
        self.count("refused", 1);
        tracing::warn!(
            document,
            error = message,
            "document refused; the last good one stays"
        );
    }

    fn count(&self, outcome: &str, by: usize) {
        self.outcomes
            .with_label_values(&[outcome])
            .inc_by(by as u64);
    }

    fn restore(&mut self) {
        let Ok(bytes) = std::fs::read(&self.cache) else {
            return;
        };
        match serde_json::from_slice(&bytes) {
            Ok(snapshot) => {
                self.documents.restore(snapshot);
                self.apply();
            }
            Err(error) => tracing::warn!(%error, "kept documents cannot be read"),
        }
    }

    /// Written beside and renamed: a crash leaves the old file or the new one.
    fn keep(&self) {
        let write = || -> std::io::Result<()> {
            if let Some(folder) = self.cache.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let beside = self
                .cache
                .with_extension(format!("{}.tmp", std::process::id()));
            std::fs::write(&beside, serde_json::to_vec(&self.documents.snapshot())?)?;
            std::fs::rename(&beside, &self.cache)
        };
        if let Err(error) = write() {
            tracing::warn!(%error, "documents cannot be kept");
        }
    }
}

fn outcomes(telemetry: &Telemetry) -> IntCounterVec {
    let options = prometheus::Opts::new(
        "citywatch_settings_documents_total",
        "Configuration documents by what became of them; ignored keys are counted one by one.",
    );
    let counter = IntCounterVec::new(options, &["outcome"]).unwrap_or_else(|error| {
        unreachable!("the metric's name and labels are constants: {error}")
    });
    for outcome in ["applied", "refused", "ignored_keys"] {
        counter.with_label_values(&[outcome]);
    }
    if let Err(error) = telemetry.registry().register(Box::new(counter.clone())) {
        tracing::debug!(%error, "metric is registered already");
    }
    counter
}
