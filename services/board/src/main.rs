//! Runs the board service.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<board::Board>()
}
