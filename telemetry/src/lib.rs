//! Traces, metrics and logs for HTTP services: one bounded pipeline, OTLP out.
