use app::Problem;
use app::auth;
use app::extract::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Users;
use crate::domain::{Email, Member, MemberId, Name, Password, Role, Timestamp};
use crate::error::Error;
use crate::store::NewMember;

#[derive(Deserialize, ToSchema)]
pub(crate) struct SignUp {
    /// An address; each belongs to one member.
    #[schema(example = "mina@example.com", max_length = 254)]
    email: String,
    /// Not the address, not one character over and over.
    #[schema(example = "correct horse battery", min_length = 10, max_length = 128)]
    password: String,
    /// What the member is called by.
    #[schema(example = "Mina Kim", min_length = 1, max_length = 80)]
    name: String,
}

/// A member, as they see themselves.
#[derive(Serialize, ToSchema)]
pub(crate) struct Profile {
    /// UUIDv7.
    #[schema(format = "uuid")]
    id: String,
    #[schema(example = "mina@example.com")]
    email: String,
    #[schema(example = "Mina Kim")]
    name: String,
    /// What they may do beyond being a member; `admin` is all there is.
    roles: Vec<&'static str>,
    /// RFC 3339, UTC.
    #[schema(format = "date-time", example = "2026-11-22T09:00:00.123456Z")]
    created_at: String,
}

impl From<&Member> for Profile {
    fn from(member: &Member) -> Self {
        Self {
            id: member.id.to_string(),
            email: member.email.as_str().to_owned(),
            name: member.name.as_str().to_owned(),
            roles: member.role.names().to_vec(),
            created_at: member.created_at.to_string(),
        }
    }
}

/// Sign up
///
/// The address is trimmed and put in lowercase; each can be used once.
#[utoipa::path(
    post,
    path = "/api/users",
    tag = "members",
    request_body = SignUp,
    responses(
        (status = 201, description = "The new member.", body = Profile),
        (status = 409, description = "`email_taken`.", body = ref("#/components/schemas/Problem")),
        (status = 422, description = "`invalid_email`, `invalid_password`, `invalid_name`, `invalid_fields`.",
         body = ref("#/components/schemas/Problem")),
        (status = 503, description = "`busy`: too many passwords wait to be hashed; see `Retry-After`.",
         body = ref("#/components/schemas/Problem")),
    )
)]
pub(crate) async fn sign_up(
    State(users): State<Users>,
    Json(given): Json<SignUp>,
) -> Result<impl IntoResponse, Problem> {
    let email = Email::parse(&given.email)?;
    let name = Name::parse(&given.name)?;
    let password = Password::choose(given.password, &email)?;
    let queue = users.settings.load().hash_queue;
    let password_hash = users.passwords.hash(password, queue).await?;
    let member = Member {
        id: MemberId::new(),
        email,
        name,
        role: Role::Member,
        created_at: Timestamp::now(),
    };
    let new = NewMember {
        member,
        password_hash,
    };
    let profile = app::detached(async move {
        users.store.add_member(&new).await?;
        users.metrics.signed_up();
        tracing::info!(member_id = %new.member.id, "signed up");
        Ok::<_, Error>(Profile::from(&new.member))
    })
    .await?;
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, "/api/users/me")],
        Json(profile),
    ))
}

/// The member who calls
#[utoipa::path(
    get,
    path = "/api/users/me",
    tag = "members",
    security(("member_token" = [])),
    responses(
        (status = 200, description = "The member.", body = Profile),
        (status = 401, description = "`missing_token`, or a code that starts with `token_`.",
         body = ref("#/components/schemas/Problem")),
        (status = 404, description = "`unknown_member`: the token is good, the member is gone.",
         body = ref("#/components/schemas/Problem")),
    )
)]
pub(crate) async fn me(
    State(users): State<Users>,
    auth::Member(claims): auth::Member,
) -> Result<Json<Profile>, Problem> {
    let id = MemberId::parse(&claims.sub).ok_or(Error::UnknownMember)?;
    let member = users.store.member(id).await?.ok_or(Error::UnknownMember)?;
    Ok(Json(Profile::from(&member)))
}
