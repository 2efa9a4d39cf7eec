//! Runs the acquirer.

fn main() {}
