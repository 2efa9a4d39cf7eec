//! What stands around every service's router.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use telemetry::Telemetry;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::{
    AuthKeys, Problem,
    detached::DETACHED,
    panics::caught,
    settings::{Common, Live},
};

/// `trace(access line(limit(handler)))`, and a problem for whatever no route answers.
pub(crate) fn around(
    router: Router,
    common: &Live<Common>,
    telemetry: &Telemetry,
    keys: AuthKeys,
    detached: &TaskTracker,
) -> Router {
    let bounds = (common.clone(), detached.clone());
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "unknown_route", "No such route"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "The route does not take this method",
            )
        })
        .layer(DefaultBodyLimit::max(common.load().max_body_bytes))
        .layer(Extension(keys))
        .layer(middleware::from_fn_with_state(bounds, bounded))
        .layer(middleware::from_fn(access_line))
        .layer(telemetry.server_layer())
}

/// A panic or a handler that takes too long becomes a problem answer.
async fn bounded(
    State((common, detached)): State<(Live<Common>, TaskTracker)>,
    request: Request,
    next: Next,
) -> Response {
    let limit = Duration::from_millis(common.load().request_timeout_ms);
    let handled = caught(DETACHED.scope(detached, next.run(request)));
    match tokio::time::timeout(limit, handled).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            Problem::internal(format_args!("the handler panicked: {panic}")).into_response()
        }
        Err(_) => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timeout",
            "The request took too long",
        )
        .into_response(),
    }
}

/// One line a request, so that a search for a trace id finds each service on its way.
async fn access_line(request: Request, next: Next) -> Response {
    let start = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    tracing::info!(
        target: "access",
        {
            http.request.method = method.as_str(),
            http.route = route.as_ref().map_or("", MatchedPath::as_str),
            http.response.status_code = response.status().as_u16(),
            duration_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX),
        },
        "request"
    );
    response
}

/// Accepts connections until `stop` ends, then lets requests in flight end.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    use axum::serve::ListenerExt;
    let listener = listener.tap_io(|stream: &mut TcpStream| {
        // Answers are small: waiting to fill a packet only adds delay.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    axum::serve(
        listener,
        router.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(stop)
    .await
}
