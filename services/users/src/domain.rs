//! What a member is, and what counts as an e-mail address, a name and a password.

mod email;
mod member;
mod name;
mod password;
mod refresh_token;

pub(crate) use app::Timestamp;
pub(crate) use email::Email;
pub(crate) use member::{Member, MemberId, Role};
pub(crate) use name::Name;
pub(crate) use password::Password;
pub(crate) use refresh_token::{RefreshToken, TokenHash};
