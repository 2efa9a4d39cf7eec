//! The observatory as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<observatory::Observatory>()
}
