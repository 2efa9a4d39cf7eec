//! Products and categories, and a search index of its own.
