//! Instrumentation scopes: who has made a span.

use super::proto;
use opentelemetry::InstrumentationScope;
use std::sync::Arc;

/// A scope as the first fields of `ScopeSpans`: `scope` and, if it has one, `schema_url`.
pub(crate) fn encode(scope: &InstrumentationScope) -> Arc<[u8]> {
    let mut message = Vec::new();
    proto::bytes(&mut message, 0x0a, scope.name().as_bytes());
    if let Some(version) = scope.version() {
        proto::bytes(&mut message, 0x12, version.as_bytes());
    }
    for attribute in scope.attributes() {
        proto::attribute(&mut message, 0x1a, attribute.key.as_str(), &attribute.value);
    }
    let mut fields = Vec::new();
    proto::bytes(&mut fields, 0x0a, &message);
    if let Some(url) = scope.schema_url() {
        proto::bytes(&mut fields, 0x1a, url.as_bytes());
    }
    fields.into()
}
