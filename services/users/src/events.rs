//! What this service tells the others.

use events::Body;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::Member;

/// Somebody has become a member.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserRegistered<'a> {
    /// UUIDv7.
    #[schema(format = "uuid")]
    user_id: String,
    /// What the member is called by.
    name: &'a str,
    /// Where they can be written to.
    email: &'a str,
}

impl Body for UserRegistered<'_> {
    const TYPE: &'static str = "users.UserRegistered.v1";
}

impl<'a> From<&'a Member> for UserRegistered<'a> {
    fn from(member: &'a Member) -> Self {
        Self {
            user_id: member.id.to_string(),
            name: member.name.as_str(),
            email: member.email.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use events::schema::promised;

    use super::UserRegistered;

    #[test]
    fn what_is_published_is_what_was_promised() {
        promised::<UserRegistered<'_>>(env!("CARGO_MANIFEST_DIR")).unwrap();
    }
}
