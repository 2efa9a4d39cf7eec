//! Members: sign-up, log-in, sessions, signing keys.
