use std::time::Duration;

use app::Problem;
use app::extract::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Users;
use crate::domain::{Email, Member, Password, RefreshToken, Timestamp, TokenHash};
use crate::error::Error;
use crate::store::Refreshed;

#[derive(Deserialize, ToSchema)]
pub(crate) struct LogIn {
    #[schema(example = "mina@example.com")]
    email: String,
    #[schema(example = "correct horse battery")]
    password: String,
}

/// A refresh token, as `POST /api/sessions` handed it out.
#[derive(Deserialize, ToSchema)]
pub(crate) struct GivenRefreshToken {
    refresh_token: String,
}

/// What a session is worth (the names are those of RFC 6749 section 5.1).
#[derive(Serialize, ToSchema)]
pub(crate) struct Tokens {
    /// A JWT for `Authorization: Bearer`.
    access_token: String,
    /// Good for one refresh; using it twice ends the session.
    refresh_token: String,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: u64,
    /// `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
}

impl Users {
    fn refresh_token_expiry(&self, now: Timestamp) -> Timestamp {
        now.plus(Duration::from_secs(
            self.settings.load().refresh_token_days * 86_400,
        ))
    }

    fn tokens(&self, member: &Member, refresh: &RefreshToken, now: Timestamp) -> Tokens {
        let (access_token, expires_in) = self.keys.access_token(member, now);
        Tokens {
            access_token,
            refresh_token: refresh.reveal(),
            expires_in,
            token_type: "Bearer",
        }
    }

    /// Whether the address is known or not, one password is hashed, and the answer is the same.
    async fn authenticate(&self, given: LogIn) -> Result<Member, Error> {
        let email = Email::parse(&given.email).map_err(|_| Error::InvalidCredentials)?;
        let password = Password::try_out(given.password).ok_or(Error::InvalidCredentials)?;
        let (member, hash) = self.store.credentials(&email).await?.unzip();
        let queue = self.settings.load().hash_queue;
        let right = self.passwords.verify(password, hash, queue).await?;
        member.filter(|_| right).ok_or(Error::InvalidCredentials)
    }

    async fn open_session(&self, member: Member) -> Result<Tokens, Error> {
        let refresh = RefreshToken::generate()?;
        let now = Timestamp::now();
        let expires = self.refresh_token_expiry(now);
        let keep = self.settings.load().sessions_per_member;
        self.store
            .open_session(member.id, &refresh.hash(), now, expires, keep)
            .await?;
        tracing::info!(member_id = %member.id, "logged in");
        Ok(self.tokens(&member, &refresh, now))
    }

    async fn renew(&self, given: &str) -> Result<Tokens, Error> {
        let token = TokenHash::of_given(given).ok_or(Error::InvalidRefreshToken)?;
        let successor = RefreshToken::generate()?;
        let now = Timestamp::now();
        let expires = self.refresh_token_expiry(now);
        match self
            .store
            .refresh(&token, &successor.hash(), now, expires)
            .await?
        {
            Refreshed::Renewed(member) => Ok(self.tokens(&member, &successor, now)),
            Refreshed::Refused => Err(Error::InvalidRefreshToken),
            Refreshed::Reused { session } => {
                tracing::warn!(
                    session_id = session,
                    "refresh token used twice; session ended"
                );
                Err(Error::RefreshTokenReused)
            }
        }
    }
}

/// Log in
///
/// An address that nobody has and a password that is wrong are answered alike, and after the same
/// work.
#[utoipa::path(
    post,
    path = "/api/sessions",
    tag = "sessions",
    request_body = LogIn,
    responses(
        (status = 200, description = "A session's first tokens.", body = Tokens),
        (status = 401, description = "`invalid_credentials`.",
         body = ref("#/components/schemas/Problem")),
        (status = 503, description = "`busy`: too many passwords wait to be checked; see `Retry-After`.",
         body = ref("#/components/schemas/Problem")),
    )
)]
pub(crate) async fn log_in(
    State(users): State<Users>,
    Json(given): Json<LogIn>,
) -> Result<impl IntoResponse, Problem> {
    let member = match users.authenticate(given).await {
        Ok(member) => member,
        Err(error) => {
            users.metrics.logged_in(&Err::<(), _>(&error));
            return Err(error.into());
        }
    };
    let tokens = app::detached(async move {
        let tokens = users.open_session(member).await;
        users.metrics.logged_in(&tokens.as_ref());
        tokens
    })
    .await?;
    Ok(not_stored(tokens))
}

/// Refresh
///
/// A refresh token is good once. Who uses one a second time has it from somebody else, or somebody
/// else has it: the session ends for both.
#[utoipa::path(
    post,
    path = "/api/sessions/refresh",
    tag = "sessions",
    request_body = GivenRefreshToken,
    responses(
        (status = 200, description = "The session's next tokens.", body = Tokens),
        (status = 401, description = "`invalid_refresh_token`, `refresh_token_reused`.",
         body = ref("#/components/schemas/Problem")),
    )
)]
pub(crate) async fn refresh(
    State(users): State<Users>,
    Json(given): Json<GivenRefreshToken>,
) -> Result<impl IntoResponse, Problem> {
    let tokens = app::detached(async move {
        let tokens = users.renew(&given.refresh_token).await;
        users.metrics.refreshed(&tokens.as_ref());
        tokens
    })
    .await?;
    Ok(not_stored(tokens))
}

/// Log out
///
/// Ends the session that the refresh token belongs to. Its access token stays good until it
/// expires. A token of no session is no error: there is nothing left to end.
#[utoipa::path(
    delete,
    path = "/api/sessions",
    tag = "sessions",
    request_body = GivenRefreshToken,
    responses((status = 204, description = "The session has ended."))
)]
pub(crate) async fn log_out(
    State(users): State<Users>,
    Json(given): Json<GivenRefreshToken>,
) -> Result<StatusCode, Problem> {
    if let Some(token) = TokenHash::of_given(&given.refresh_token) {
        app::detached(async move { users.store.end_session(&token, Timestamp::now()).await })
            .await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Tokens must not stay in anybody's cache (RFC 6749 section 5.1).
fn not_stored(tokens: Tokens) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], Json(tokens))
}
