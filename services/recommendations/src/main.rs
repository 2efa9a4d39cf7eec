//! Runs the recommendations service.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<recommendations::Recommendations>()
}
