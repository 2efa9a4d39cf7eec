//! How an error on purpose looks to whoever asked: as any other of its kind.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use faults::Injected;
use futures_util::stream;
use http::StatusCode;

use crate::Problem;

/// What a handler answers when a fault struck one of its points.
impl From<Injected> for Problem {
    fn from(injected: Injected) -> Self {
        let status = match injected {
            Injected::Status(status) => status,
            Injected::Refused | Injected::Reset => StatusCode::SERVICE_UNAVAILABLE,
        };
        match status {
            StatusCode::INTERNAL_SERVER_ERROR => Self::internal(injected),
            StatusCode::GATEWAY_TIMEOUT => Self::timeout(),
            status => Self::new(status, "unavailable", "The service cannot answer now"),
        }
    }
}

/// What a request is answered when a fault struck before its handler.
pub(crate) fn response(injected: Injected) -> Response {
    match injected {
        Injected::Status(_) => Problem::from(injected).into_response(),
        Injected::Refused | Injected::Reset => broken(),
    }
}

/// An answer of which nothing is sent: its body fails before its head has left, so that the server
/// drops the connection (of HTTP/2: the stream).
fn broken() -> Response {
    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let body = stream::iter([Err::<Vec<u8>, _>(reset)]);
    (StatusCode::SERVICE_UNAVAILABLE, Body::from_stream(body)).into_response()
}
