//! What stands around every service's router.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use calls::Deadline;
use faults::Point;
use http::StatusCode;
use telemetry::Telemetry;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    AuthKeys, Problem,
    detached::DETACHED,
    injected,
    panics::caught,
    settings::{Common, Live},
};

/// `trace(access line(limit(fault(handler))))`, and a problem for whatever no route answers.
pub(crate) fn around(
    router: Router,
    telemetry: &Telemetry,
    keys: AuthKeys,
    bounds: Bounds,
    server: Point,
) -> Router {
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "unknown_route", "No such route"))
        .method_not_allowed_fallback(async || {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "The route does not take this method",
            )
        })
        .layer(DefaultBodyLimit::max(bounds.common.load().max_body_bytes))
        .layer(Extension(keys))
        .layer(middleware::from_fn_with_state(
            Arc::new((bounds, server)),
            bounded,
        ))
        .layer(middleware::from_fn(access_line))
        .layer(telemetry.server_layer())
}

/// What a request may take, and what may outlast it.
#[derive(Clone)]
pub(crate) struct Bounds {
    pub(crate) common: Live<Common>,
    /// Fires when the drain's patience is over.
    pub(crate) cut_off: CancellationToken,
    /// Work that goes on when its request is over.
    pub(crate) detached: TaskTracker,
}

/// A handler that panics, takes too long or outlasts the drain becomes a problem answer. Too long
/// is longer than the caller waits, or than any request may take; the handler's own calls are
/// bounded by the same. Every request passes the point `server` before its handler.
async fn bounded(
    State(limits): State<Arc<(Bounds, Point)>>,
    request: Request,
    next: Next,
) -> Response {
    let (bounds, server) = &*limits;
    let now = tokio::time::Instant::now().into_std();
    let limit = Duration::from_millis(bounds.common.load().request_timeout_ms);
    let own = Deadline::after(now, limit);
    let callers = Deadline::from_headers(request.headers(), now);
    let deadline = callers.map_or(own, |callers| callers.sooner(own));
    let handled = struck(server, next.run(request));
    let handled = DETACHED.scope(bounds.detached.clone(), handled);
    let handled = caught(calls::deadline::within(deadline, handled));
    let handled = tokio::time::timeout(deadline.remaining(now), handled);
    let problem = match bounds.cut_off.run_until_cancelled(handled).await {
        Some(Ok(Ok(response))) => return response,
        Some(Ok(Err(panic))) => panicked(&panic),
        Some(Err(_)) => Problem::timeout(),
        None => cut_off(),
    };
    problem.into_response()
}

fn panicked(panic: &str) -> Problem {
    Problem::internal(format_args!("the handler panicked: {panic}"))
}

fn cut_off() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "stopping",
        "The service stops and cannot wait for the request",
    )
}

/// What stands around routes that hold their answers back: who calls is known, faults strike and
/// panics are caught as everywhere; nothing is traced, measured or timed.
pub(crate) fn held(
    routes: Router,
    keys: AuthKeys,
    cut_off: CancellationToken,
    server: Point,
) -> Router {
    routes
        .layer(Extension(keys))
        .layer(middleware::from_fn_with_state(
            Arc::new((cut_off, server)),
            unbounded,
        ))
}

async fn unbounded(
    State(limits): State<Arc<(CancellationToken, Point)>>,
    request: Request,
    next: Next,
) -> Response {
    let (cut, server) = &*limits;
    let handled = caught(struck(server, next.run(request)));
    let problem = match cut.run_until_cancelled(handled).await {
        Some(Ok(response)) => return response,
        Some(Err(panic)) => panicked(&panic),
        None => cut_off(),
    };
    problem.into_response()
}

/// The handler's answer, unless a fault strikes before it: within the limits, as the handler is.
async fn struck(server: &Point, handled: impl Future<Output = Response>) -> Response {
    match server.pass().await {
        Ok(()) => handled.await,
        Err(injected) => injected::response(injected),
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
