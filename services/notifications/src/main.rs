//! Runs the notifications service.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<notifications::Notifications>()
}
