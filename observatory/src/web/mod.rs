//! The page: traces in a list, one trace as a waterfall.
//!
//! Its files are in `observatory/web`, part of the executable, and load nothing from elsewhere.
//! It shows what the public interface answers: Jaeger's, and the two routes of [`overview`].

mod assets;
mod overview;

pub(crate) use assets::router as assets;
pub(crate) use overview::{Api, Overview, router as overview};
