//! Runs the orders service.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<orders::Orders>()
}
