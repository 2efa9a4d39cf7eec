use std::sync::Arc;

use identity::Verifier;

use crate::settings::Secret;

/// What the extractors of [`auth`](crate::auth) verify with; each request carries it as an
/// extension.
#[derive(Clone)]
pub struct AuthKeys(Arc<Inner>);

struct Inner {
    members: Verifier,
    services: Verifier,
    operator: Secret,
}

impl AuthKeys {
    /// Verifiers for members and for services, and the operator's token.
    #[must_use]
    pub fn new(members: Verifier, services: Verifier, operator: Secret) -> Self {
        Self(Arc::new(Inner {
            members,
            services,
            operator,
        }))
    }

    pub(crate) fn members(&self) -> &Verifier {
        &self.0.members
    }

    pub(crate) fn services(&self) -> &Verifier {
        &self.0.services
    }

    pub(crate) fn is_operator(&self, token: &str) -> bool {
        identity::same_secret(self.0.operator.expose(), token)
    }
}
