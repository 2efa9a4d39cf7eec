//! Runs the cart service.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<cart::Cart>()
}
