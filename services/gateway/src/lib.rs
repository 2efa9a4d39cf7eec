//! The city's front door: routes, verifies, limits, starts the trace, writes the access log.
