//! A call to a named service: balance and deadline as plain types.
