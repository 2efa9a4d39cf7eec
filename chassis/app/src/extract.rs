//! Extractors that reject with a [`Problem`].

use axum::extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection};
use http::{StatusCode, request::Parts};
use serde::{Serialize, de::DeserializeOwned};

use crate::Problem;

/// A JSON body, in or out.
pub struct Json<T>(pub T);

/// The query string.
pub struct Query<T>(pub T);

/// Parameters of the path.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(json_problem(&rejection)),
        }
    }
}

impl<T: Serialize> axum::response::IntoResponse for Json<T> {
    fn into_response(self) -> axum::response::Response {
        axum::Json(self.0).into_response()
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_query",
                "Invalid query string",
            )
            .detail(rejection.body_text())),
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => {
                Err(
                    Problem::new(StatusCode::BAD_REQUEST, "invalid_path", "Invalid path")
                        .detail(rejection.body_text()),
                )
            }
        }
    }
}

fn json_problem(rejection: &JsonRejection) -> Problem {
    let (code, title) = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "Request body too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => (
            "unsupported_media_type",
            "Content-Type must be application/json",
        ),
        StatusCode::UNPROCESSABLE_ENTITY => ("invalid_fields", "Fields missing or of wrong type"),
        _ => ("invalid_json", "Body is not valid JSON"),
    };
    let status = if rejection.status().is_client_error() {
        rejection.status()
    } else {
        StatusCode::BAD_REQUEST
    };
    Problem::new(status, code, title).detail(rejection.body_text())
}
