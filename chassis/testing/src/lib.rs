//! A whole service on port 0 with a fresh store, and a capture of its spans.
