//! The scopes that the OpenTelemetry API names with each span.

use crate::span::scope::encode;
use arc_swap::ArcSwap;
use opentelemetry::InstrumentationScope;
use std::sync::Arc;

/// Libraries are few; this only bounds a mistake.
const MAX_KNOWN: usize = 256;

/// Scopes met before, each encoded once.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    known: ArcSwap<Vec<(InstrumentationScope, Arc<[u8]>)>>,
}

impl Scopes {
    pub(crate) fn get(&self, scope: &InstrumentationScope) -> Arc<[u8]> {
        let known = self.known.load();
        if let Some((_, encoded)) = known.iter().find(|(known, _)| known == scope) {
            return Arc::clone(encoded);
        }
        let encoded = encode(scope);
        if known.len() < MAX_KNOWN {
            self.known.rcu(|known| {
                let mut known = Vec::clone(known);
                known.push((scope.clone(), Arc::clone(&encoded)));
                known
            });
        }
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::KeyValue;
    use opentelemetry_proto::tonic::trace::v1::ScopeSpans;
    use prost::Message;

    #[test]
    fn all_of_a_scope_is_encoded_once() {
        let scope = |version: &'static str| {
            InstrumentationScope::builder("db")
                .with_version(version)
                .with_schema_url("https://example.org/1")
                .with_attributes([KeyValue::new("pool", 3)])
                .build()
        };
        let scopes = Scopes::default();
        let first = scopes.get(&scope("1"));
        assert!(Arc::ptr_eq(&first, &scopes.get(&scope("1"))));
        assert_ne!(first, scopes.get(&scope("2")));
        let decoded = ScopeSpans::decode(&*first).unwrap();
        assert_eq!(decoded.schema_url, "https://example.org/1");
        let scope = decoded.scope.unwrap();
        assert_eq!((scope.name.as_str(), scope.version.as_str()), ("db", "1"));
        assert_eq!(scope.attributes[0].key, "pool");
    }

    #[test]
    fn many_scopes_are_not_remembered_forever() {
        let scopes = Scopes::default();
        for i in 0..2 * MAX_KNOWN {
            scopes.get(&InstrumentationScope::builder(i.to_string()).build());
        }
        assert_eq!(scopes.known.load().len(), MAX_KNOWN);
    }
}
