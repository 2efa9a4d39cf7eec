//! SQL for a service: pools, migrations and transactions; the only place that knows a dialect.
