//! Runs the shipping service.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<shipping::Shipping>()
}
