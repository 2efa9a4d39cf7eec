//! Why the two differ, in the words of the conventions.

use super::table::Reasons;

/// `opentelemetry-instrumentation-tower` and [`telemetry::ServerLayer`].
pub(super) const REQUESTS: Reasons = &[
    (
        "attribute client.address",
        "[HTTP server span](https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-server-span): \
         recommended; \"the IP address of the original client behind all proxies, if known (e.g. from \
         Forwarded#for, X-Forwarded-For, or a similar header)\".",
    ),
    (
        "attribute error.type",
        "\"Conditionally Required if request has ended with an error\": \"the status code number \
         (represented as a string), an exception type (if thrown) or a component-specific error \
         identifier\".",
    ),
    (
        "attribute http.request.method",
        "\"If the HTTP request method is not known to instrumentation, it MUST set the \
         http.request.method attribute to _OTHER.\"",
    ),
    (
        "attribute http.request.method_original",
        "\"Conditionally Required if and only if it's different than http.request.method.\"",
    ),
    (
        "attribute network.protocol.version",
        "Recommended: \"the actual version of the protocol used for network communication\", such as \
         `1.0`, `1.1`, `2` and `3`.",
    ),
    (
        "attribute server.address",
        "Recommended, from `Forwarded`, `X-Forwarded-Host`, the `:authority` or the `Host` header: see \
         [Setting server.address and server.port](https://opentelemetry.io/docs/specs/semconv/http/http-spans/#setting-serveraddress-and-serverport-attributes).",
    ),
    (
        "attribute server.port",
        "As `server.address`; without a port in the host it is the scheme's.",
    ),
    (
        "attribute url.query",
        "\"Sensitive content provided in url.query SHOULD be scrubbed when instrumentations can \
         identify it.\" `access_token` is a bearer token by \
         [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-2.3), which warns of logs.",
    ),
    (
        "attribute url.scheme",
        "Required: \"the scheme of the original client request, if known (e.g. from Forwarded#proto, \
         X-Forwarded-Proto, or a similar header). Otherwise, the scheme of the immediate peer \
         request.\" The official layer has only the request's URI, which mostly has none.",
    ),
    (
        "flags",
        "The last seven bytes of our trace ids are random, and [Trace Context level \
         2](https://www.w3.org/TR/trace-context-2/#random-trace-id-flag) has a flag that says so. Where \
         a parent has sent a `traceparent` its flag is kept.",
    ),
    (
        "metric",
        "[http.server.request.duration](https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration) \
         is required of every request; the official layer forgets one whose handler panics or whose \
         client goes away.",
    ),
    ("metric attribute error.type", "As the span's."),
    ("metric attribute http.request.method", "As the span's."),
    (
        "metric attribute network.protocol.name",
        "\"Conditionally Required if not http and network.protocol.version is set.\"",
    ),
    (
        "metric attribute network.protocol.version",
        "As the span's: HTTP/2 is `2`.",
    ),
    ("metric attribute url.scheme", "As the span's."),
    (
        "name",
        "\"In other cases (when http.request.method is set to _OTHER), {method} MUST be HTTP.\" \
         Otherwise clients name spans.",
    ),
    (
        "resource attribute telemetry.sdk.name",
        "\"If another SDK, like a fork or a vendor-provided implementation, is used, this SDK MUST set \
         the telemetry.sdk.name attribute to [...] another suitable identifier\" \
         ([resource](https://opentelemetry.io/docs/specs/semconv/resource/#telemetry-sdk)).",
    ),
    (
        "resource attribute telemetry.sdk.version",
        "The version of that SDK.",
    ),
    (
        "resource schema",
        "The names of the resource's attributes are those of this version of the conventions.",
    ),
    ("scope name", "Who recorded it."),
    (
        "scope schema",
        "The version of the conventions that is followed.",
    ),
    ("scope version", "Who recorded it."),
    (
        "status",
        "\"HTTP request may fail if it was cancelled or an error occurred preventing the client or \
         server from sending/receiving the request/response fully. When instrumentation detects such \
         errors it SHOULD set span status to Error and SHOULD set the error.type attribute.\"",
    ),
    (
        "status message",
        "\"Don't set the span status description if the reason can be inferred from \
         http.response.status_code.\"",
    ),
];

/// `BatchSpanProcessor` with `opentelemetry-otlp`, and [`telemetry::Telemetry::span_processor`].
pub(super) const SPANS: Reasons = &[
    (
        "attribute key",
        "[Attribute collections](https://opentelemetry.io/docs/specs/otel/common/#attribute-collections): \
         \"Implementation MUST by default enforce that the exported attribute collections contain only unique keys\"; \"setting an attribute \
         with the same key as an existing attribute SHOULD overwrite the existing attribute's value\".",
    ),
    (
        "order of attributes",
        "An attribute that is set again stands where it was set last.",
    ),
    (
        "resource attribute telemetry.sdk.name",
        "As for requests: the pipeline is this crate's.",
    ),
    (
        "resource attribute telemetry.sdk.version",
        "The version of that SDK.",
    ),
    (
        "resource schema",
        "As for requests: the names of the resource's attributes are those of this version.",
    ),
];
