use std::{collections::BTreeMap, path::Path, process::Command, sync::Arc, time::SystemTime};

use app::{
    Ready, Service,
    settings::{Common, KeyError, Section},
};
use identity::{Claims, MEMBER_AUDIENCE, MEMBER_ISSUER, ServiceSigner, SigningKey};
use serde_json::{Value, json};
use telemetry::{Telemetry, testing::Collector};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{Running, Starting};

/// Names of services whose keys a town knows.
const SERVICES: [&str; 14] = [
    "gateway",
    "registry",
    "users",
    "catalog",
    "inventory",
    "cart",
    "orders",
    "payments",
    "shipping",
    "board",
    "notifications",
    "recommendations",
    "observatory",
    "example",
];

/// A data folder, keys and an operator token that the services of one test share.
#[derive(Clone)]
pub struct Town(Arc<Inner>);

struct Inner {
    folder: TempDir,
    member_key: SigningKey,
    service_keys: BTreeMap<&'static str, SigningKey>,
    operator_token: String,
}

impl Default for Town {
    fn default() -> Self {
        Self::new()
    }
}

impl Town {
    /// Fresh keys in a fresh folder.
    ///
    /// # Panics
    /// The folder cannot be made.
    #[must_use]
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let key = |_: &&str| SigningKey::generate().expect("a key");
        let service_keys: BTreeMap<_, _> = SERVICES.iter().map(|name| (*name, key(name))).collect();
        for (name, key) in &service_keys {
            let path = folder.path().join(format!("{name}.pem"));
            std::fs::write(path, key.to_pem()).expect("the key can be written");
        }
        Self(Arc::new(Inner {
            folder,
            member_key: key(&"members"),
            service_keys,
            operator_token: uuid::Uuid::new_v4().to_string(),
        }))
    }

    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.0.folder.path()
    }

    /// The operator's token.
    #[must_use]
    pub fn operator_token(&self) -> &str {
        &self.0.operator_token
    }

    /// The services' public keys, as the registry hands them out.
    #[must_use]
    pub fn service_jwks(&self) -> Value {
        let keys: Vec<_> = self
            .0
            .service_keys
            .iter()
            .map(|(name, key)| key.public_jwk().for_service(name))
            .collect();
        json!({ "keys": keys })
    }

    /// The key that signs members' tokens here.
    #[must_use]
    pub fn member_key(&self) -> &SigningKey {
        &self.0.member_key
    }

    /// A token of the member `id`, good for five minutes.
    #[must_use]
    pub fn member_token(&self, id: &str, roles: &[&str]) -> String {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        self.0.member_key.sign(&Claims {
            iss: MEMBER_ISSUER.to_owned(),
            sub: id.to_owned(),
            aud: MEMBER_AUDIENCE.to_owned(),
            iat: now,
            exp: now + 300,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            ..Claims::default()
        })
    }

    /// A token of the service `from` for the service `to`.
    #[must_use]
    pub fn service_token(&self, from: &str, to: &str) -> String {
        let pem = self.0.service_keys[from].to_pem();
        let key = SigningKey::from_pem(&pem).expect("its own form");
        ServiceSigner::new(from, key).token_for(to)
    }

    /// Starts one instance of a service. `overrides` is a JSON object of settings.
    ///
    /// # Panics
    /// The service does not start.
    pub async fn start<S: Service>(&self, overrides: Value) -> Running {
        let ready = self.begin::<S>(&overrides).ready().await;
        ready.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Begins to start one instance, which may come to nothing.
    ///
    /// # Panics
    /// The settings are not ones that the service has.
    pub fn begin<S: Service>(&self, overrides: &Value) -> Starting {
        self.keep_documents(S::NAME);
        let mut common = Common::default();
        let mut own = S::Settings::default();
        for (key, value) in self.settings(S::NAME) {
            common.set(key, value).expect("a common setting");
        }
        // What services say while a test passes is of no use to its reader.
        let log = std::env::var("RUST_LOG").unwrap_or("off".to_owned());
        common.set("log", json!(log)).expect("a common setting");
        for (key, value) in overrides.as_object().expect("overrides are an object") {
            let mut outcome = common.set(key, value.clone());
            if outcome == Err(KeyError::Unknown) {
                outcome = own.set(key, value.clone());
            }
            outcome.unwrap_or_else(|error| panic!("setting {key}: {error}"));
        }
        own.validate().expect("settings go together");

        let collector = Collector::new();
        let instance_id = uuid::Uuid::now_v7().to_string();
        let service = telemetry::Service::new(S::NAME, S::VERSION).instance_id(instance_id.clone());
        let telemetry = Telemetry::builder(service)
            .exporter(collector.exporter())
            .build()
            .expect("telemetry");
        let stopping = CancellationToken::new();
        let (sender, receiver) = oneshot::channel();
        let stop = stopping.clone();
        let served = tokio::spawn(async move {
            let on_ready = move |ready: &Ready| {
                let _ = sender.send(ready.clone());
            };
            app::serve_on::<S>(telemetry, instance_id, common, own, stop, on_ready).await
        });
        Starting {
            town: self.clone(),
            ready: receiver,
            collector,
            stopping,
            served,
        }
    }

    /// A command that runs a service's own binary in this town, for
    /// [`Process::start`](crate::Process::start). `overrides` is a JSON object of settings; no
    /// setting of the test's own environment gets through, and spans go nowhere unless the test
    /// says otherwise.
    ///
    /// # Panics
    /// The data folder cannot be written.
    #[must_use]
    pub fn command<S: Service>(&self, program: &str, overrides: &Value) -> Command {
        self.command_of(S::NAME, program, overrides)
    }

    /// The same for a service whose crate is not at hand.
    ///
    /// # Panics
    /// As [`command`](Self::command).
    #[must_use]
    pub fn command_of(&self, service: &str, program: &str, overrides: &Value) -> Command {
        self.keep_documents(service);
        let mut command = Command::new(program);
        command.arg("--leash").current_dir(self.folder());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CITYWATCH_") || text.starts_with("OTEL_") {
                command.env_remove(&name);
            }
        }
        command.env("OTEL_SDK_DISABLED", "true");
        let overrides = overrides.as_object().expect("overrides are an object");
        let overrides = overrides.iter().map(|(key, value)| (key.as_str(), value));
        let settings = self.settings(service);
        let settings = settings.iter().map(|(key, value)| (*key, value));
        for (key, value) in settings.chain(overrides) {
            let text = value.as_str().map_or(value.to_string(), str::to_owned);
            let name = format!("CITYWATCH_{service}__{key}").to_uppercase();
            command.env(name, text);
        }
        command
    }

    /// What every service of a test is told.
    fn settings(&self, service: &str) -> [(&'static str, Value); 6] {
        let own_key = self.folder().join(format!("{service}.pem"));
        [
            ("listen", json!("127.0.0.1:0")),
            ("data_dir", json!(self.folder())),
            ("operator_token", json!(self.operator_token())),
            ("service_key_file", json!(own_key)),
            ("drain_timeout_ms", json!(1000)),
            ("telemetry_shutdown_ms", json!(200)),
        ]
    }

    /// A service without registry uses the documents that it kept; the first to start here finds
    /// these.
    fn keep_documents(&self, service: &str) {
        let folder = self.folder().join("cache");
        let path = folder.join(format!("{service}.json"));
        if path.exists() {
            return;
        }
        let document = |name: &str, value: Value| {
            json!({
                "name": name, "version": 1, "value": value,
                "updated_at": "2026-01-01T00:00:00Z", "updated_by": "test",
            })
        };
        let members = json!({ "keys": [self.0.member_key.public_jwk()] });
        let documents = json!({ "documents": [
            document("jwks.members", members),
            document("jwks.services", self.service_jwks()),
        ] });
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        std::fs::write(path, documents.to_string()).expect("documents can be kept");
    }
}
