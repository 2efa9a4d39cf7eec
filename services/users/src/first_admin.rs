//! The first admin, who is made at start: there is no other way to become one.

use crate::Settings;
use crate::domain::{Email, Member, MemberId, Name, Password, Role, Timestamp};
use crate::error::Error;
use crate::passwords::Passwords;
use crate::store::{NewMember, Store};

/// Makes the first admin if the settings hold a password for one and there is no admin yet.
///
/// An address that a member has already is left alone: whoever signed up with it must not become
/// an admin by it.
pub(crate) async fn ensure(
    store: &Store,
    passwords: &Passwords,
    settings: &Settings,
) -> Result<(), Error> {
    if settings.first_admin_password.is_empty() || store.has_admin().await? {
        return Ok(());
    }
    let email = Email::parse(&settings.first_admin_email)?;
    let password = Password::choose(settings.first_admin_password.expose().to_owned(), &email)?;
    let new = NewMember {
        member: Member {
            id: MemberId::new(),
            email,
            name: Name::parse("Admin")?,
            role: Role::Admin,
            created_at: Timestamp::now(),
        },
        password_hash: passwords.hash(password, settings.hash_queue).await?,
    };
    match store.add_member(&new).await {
        Ok(()) => tracing::info!(member_id = %new.member.id, "first admin made"),
        // Another replica made it a moment ago, or a member has the address.
        Err(Error::EmailTaken) if store.has_admin().await? => {}
        Err(Error::EmailTaken) => tracing::error!(
            "no admin was made: a member has the address of `first_admin_email`; set another"
        ),
        Err(error) => return Err(error),
    }
    Ok(())
}
