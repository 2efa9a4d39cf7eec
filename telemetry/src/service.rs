//! Which service the telemetry is about.

use crate::settings::{Entity, Settings};
use crate::span::proto;

/// A service: its name, version and instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    name: String,
    version: String,
    instance_id: Option<String>,
}

impl Service {
    /// `service.name` and `service.version`.
    #[must_use]
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Service {
        Service {
            name: name.into(),
            version: version.into(),
            instance_id: None,
        }
    }

    /// `service.instance.id`: which of several like it.
    #[must_use]
    pub fn instance_id(mut self, id: impl Into<String>) -> Service {
        self.instance_id = Some(id.into());
        self
    }

    /// `service.name`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The service as the environment names it.
    pub(crate) fn named_by(mut self, settings: &Settings) -> Service {
        if let Some(name) = &settings.service_name {
            self.name.clone_from(name);
        }
        self
    }

    /// The attributes of the OpenTelemetry resource.
    pub(crate) fn attributes(&self, settings: &Settings) -> Vec<(String, String)> {
        let mut attributes = vec![
            ("service.name".to_owned(), self.name.clone()),
            ("service.version".to_owned(), self.version.clone()),
        ];
        if let Some(id) = &self.instance_id {
            attributes.push(("service.instance.id".to_owned(), id.clone()));
        }
        for (key, value) in [
            ("telemetry.sdk.name", "citywatch"),
            ("telemetry.sdk.language", "rust"),
            ("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
        ] {
            attributes.push((key.to_owned(), value.to_owned()));
        }
        let entities = settings.entities.iter();
        let entities = entities.flat_map(|entity| entity.id.iter().chain(&entity.description));
        for (key, value) in settings.resource_attributes.iter().chain(entities) {
            if !attributes.iter().any(|(known, _)| known == key) {
                attributes.push((key.clone(), value.clone()));
            }
        }
        attributes
    }
}

/// The resource as field 1 of a `ResourceSpans`, with references to those entities that it is
/// about.
pub(crate) fn encode_resource(attributes: &[(String, String)], entities: &[Entity]) -> Vec<u8> {
    let mut message = Vec::new();
    for (key, value) in attributes {
        proto::attribute(&mut message, 0x0a, key, value.as_str());
    }
    for entity in entities {
        let known = |pair: &&(String, String)| attributes.contains(pair);
        // Something that stands before it has said that the resource is about another one.
        if !entity.id.iter().all(|pair| known(&pair)) {
            continue;
        }
        let mut reference = Vec::new();
        if let Some(url) = &entity.schema_url {
            proto::bytes(&mut reference, 0x0a, url.as_bytes());
        }
        proto::bytes(&mut reference, 0x12, entity.kind.as_bytes());
        for (key, _) in &entity.id {
            proto::bytes(&mut reference, 0x1a, key.as_bytes());
        }
        for (key, _) in entity.description.iter().filter(known) {
            proto::bytes(&mut reference, 0x22, key.as_bytes());
        }
        proto::bytes(&mut message, 0x1a, &reference);
    }
    let mut field = Vec::new();
    proto::bytes(&mut field, 0x0a, &message);
    field
}
