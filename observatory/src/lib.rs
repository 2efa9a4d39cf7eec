//! OTLP in, traces in bounded memory, Jaeger's query API and a page out.
