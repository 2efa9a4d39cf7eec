//! Central configuration at work: registry documents become settings and trusted keys, at once
//! and without a restart. A document that cannot be used is refused, and the last good one stays,
//! over a restart too.

use std::{collections::BTreeMap, time::Duration};

use discovery::{Discovery, Document, Documents, RegistryClient, Snapshot};
use prometheus::IntCounterVec;
use telemetry::Telemetry;
use tokio::sync::watch;

use super::{
    kept::{Kept, Known},
    keys::Trust,
    refetch::refetch_unknown,
};
use crate::settings::{self, CITY, Common, Live, Section, Writer};

/// JWKS of the keys that sign members' tokens.
const MEMBER_KEYS: &str = "jwks.members";
/// JWKS of the services' own keys.
const SERVICE_KEYS: &str = "jwks.services";

pub(super) struct Steering<S> {
    service: &'static str,
    telemetry: Telemetry,
    registry: Option<RegistryClient>,
    discovery: Discovery,
    documents: Documents,
    changes: watch::Receiver<u64>,
    /// What is in force, by name.
    good: BTreeMap<&'static str, Document>,
    /// What was refused, by name: to be said once, however often it is tried.
    refused: BTreeMap<&'static str, Document>,
    kept: Kept,
    base: (Common, S),
    common: Writer<Common>,
    own: Writer<S>,
    trust: Trust,
    log: String,
    outcomes: IntCounterVec,
}

impl<S: Section> Steering<S> {
    /// Starts from what an earlier process kept.
    pub(super) fn start(
        service: &'static str,
        (telemetry, instance_id): (&Telemetry, &str),
        registry: Option<RegistryClient>,
        discovery: Discovery,
        trust: Trust,
        base: (Common, S),
    ) -> (Self, Live<Common>, Live<S>) {
        let (common, live_common) = Live::new(base.0.clone());
        let (own, live_own) = Live::new(base.1.clone());
        let documents = registry
            .as_ref()
            .map(|client| client.documents().clone())
            .unwrap_or_default();
        let mut steering = Self {
            service,
            telemetry: telemetry.clone(),
            registry,
            discovery,
            changes: documents.changes(),
            documents,
            good: BTreeMap::new(),
            refused: BTreeMap::new(),
            kept: Kept::new(&base.0.data_dir, service, instance_id),
            log: base.0.log.clone(),
            base,
            common,
            own,
            trust,
            outcomes: outcomes(telemetry),
        };
        let Known {
            documents,
            instances,
        } = steering.kept.read();
        steering.documents.restore(Snapshot { documents });
        steering.discovery.restore(instances);
        steering.apply();
        (steering, live_common, live_own)
    }

    /// Settings first: keys never need them, and they never need keys.
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
        self.keep();
    }

    /// Follows every document, and keeps what is learned. Never ends; without a registry there is
    /// nothing to follow.
    pub(super) async fn follow(mut self) {
        let Some(client) = self.registry.clone() else {
            return std::future::pending().await;
        };
        // Holding the receivers is what keeps the documents followed.
        let _followed = self.names().map(|name| client.watch_document(name));
        let mut instances = self.discovery.changes();
        self.apply();
        self.keep();
        let (members, services) = (&self.trust.member_keys, &self.trust.service_keys);
        let members = refetch_unknown(members.clone(), client.clone(), MEMBER_KEYS);
        let services = refetch_unknown(services.clone(), client, SERVICE_KEYS);
        let steer = async {
            loop {
                tokio::select! {
                    Ok(()) = self.changes.changed() => self.apply(),
                    Ok(()) = instances.changed() => {}
                }
                self.keep();
            }
        };
        tokio::join!(members, services, steer);
    }

    /// Makes settings and keys what the documents say; what cannot be used changes nothing.
    fn apply(&mut self) {
        self.changes.mark_unchanged();
        // One document may fit only beside the news of another.
        while self.take_news() {}
    }

    fn take_news(&mut self) -> bool {
        let mut taken = false;
        for name in self.names() {
            let Some(document) = self.documents.known(name) else {
                continue;
            };
            if self.good.get(name) == Some(&document) {
                continue;
            }
            match self.put(name, &document) {
                Ok(ignored) => {
                    self.count("applied", 1);
                    self.count("ignored_keys", ignored);
                    self.good.insert(name, document);
                    taken = true;
                }
                Err(error) if self.refused.get(name) != Some(&document) => {
                    self.count("refused", 1);
                    tracing::warn!(
                        document = name,
                        version = document.version,
                        error,
                        "document refused; the last good one stays"
                    );
                    self.refused.insert(name, document);
                }
                Err(_) => {}
            }
        }
        taken
    }

    /// Returns how many keys of the document mean nothing here.
    fn put(&mut self, name: &str, document: &Document) -> Result<usize, String> {
        let keys = match name {
            MEMBER_KEYS => &self.trust.member_keys,
            SERVICE_KEYS => &self.trust.service_keys,
            _ => return self.put_settings(name, document),
        };
        let jwks = serde_json::from_value(document.value.clone());
        keys.replace(jwks.map_err(|error| error.to_string())?);
        Ok(0)
    }

    fn put_settings(&mut self, name: &str, document: &Document) -> Result<usize, String> {
        let (mut common, mut own) = self.base.clone();
        let mut ignored = 0;
        for section in [CITY, self.service] {
            let is_news = section == name;
            let document = match self.good.get(section) {
                _ if is_news => document,
                Some(good) => good,
                None => continue,
            };
            let passed_over = settings::apply_document(&mut common, &mut own, &document.value)
                .map_err(|error| error.to_string())?;
            if is_news {
                ignored = passed_over;
            }
        }
        common.validate().and_then(|()| own.validate())?;
        // Last, for it takes effect at once.
        if common.log != self.log {
            self.telemetry
                .set_log_filter(&common.log)
                .map_err(|error| format!("`log`: {error}"))?;
            self.log.clone_from(&common.log);
            tracing::info!(log = self.log, "log filter changed");
        }
        self.common.store(common);
        self.own.store(own);
        Ok(ignored)
    }

    fn count(&self, outcome: &str, by: usize) {
        self.outcomes
            .with_label_values(&[outcome])
            .inc_by(by as u64);
    }

    fn keep(&mut self) {
        self.kept.write(Known {
            documents: self.good.values().cloned().collect(),
            instances: self.discovery.snapshot(),
        });
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
