//! The service as its members, its operators and a mail server meet it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod interface;
