//! The bank outside the city.
