//! Runs the payments service.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<payments::Payments>()
}
