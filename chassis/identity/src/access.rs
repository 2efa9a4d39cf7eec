//! The rule of a route: who may call it.

use serde::{Deserialize, Serialize};

use crate::Claims;

/// Who may call a route. Ordered from the most open to the most closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Anyone, with a token or without.
    Public,
    /// A signed-in member.
    Member,
    /// A member with the role `admin`.
    Admin,
}

/// Why a rule kept a caller out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A verified token is needed and there is none: HTTP 401.
    Unauthenticated,
    /// The token is good and does not suffice: HTTP 403.
    Forbidden,
}

impl Access {
    /// Whether a caller with these verified claims (`None`: no token) may pass.
    ///
    /// # Errors
    /// [`Refusal::Unauthenticated`] without claims, [`Refusal::Forbidden`] without the role.
    pub fn permits(self, claims: Option<&Claims>) -> Result<(), Refusal> {
        match (self, claims) {
            (Self::Public, _) | (Self::Member, Some(_)) => Ok(()),
            (Self::Admin, Some(claims)) if claims.is_admin() => Ok(()),
            (Self::Admin, Some(_)) => Err(Refusal::Forbidden),
            (Self::Member | Self::Admin, None) => Err(Refusal::Unauthenticated),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_lets_in_exactly_its_callers() {
        let member = Claims::member("m", &[], 0, 1);
        let admin = Claims::member("a", &["admin"], 0, 1);
        let table = [
            (Access::Public, None, Ok(())),
            (Access::Public, Some(&member), Ok(())),
            (Access::Member, None, Err(Refusal::Unauthenticated)),
            (Access::Member, Some(&member), Ok(())),
            (Access::Member, Some(&admin), Ok(())),
            (Access::Admin, None, Err(Refusal::Unauthenticated)),
            (Access::Admin, Some(&member), Err(Refusal::Forbidden)),
            (Access::Admin, Some(&admin), Ok(())),
        ];
        for (rule, claims, expected) in table {
            assert_eq!(rule.permits(claims), expected, "{rule:?} {claims:?}");
        }
    }

    #[test]
    fn a_rule_is_written_in_lowercase() {
        assert_eq!(serde_json::to_string(&Access::Admin).unwrap(), "\"admin\"");
        assert_eq!(
            serde_json::from_str::<Access>("\"public\"").unwrap(),
            Access::Public
        );
        assert!(serde_json::from_str::<Access>("\"Public\"").is_err());
    }
}
