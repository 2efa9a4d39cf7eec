//! What every service is run by: settings, run loop, drain, problem answers, admin listener.
