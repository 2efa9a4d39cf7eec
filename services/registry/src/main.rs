//! Runs the registry alone: `citywatch-registry [--leash] [--config FILE]`.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<registry::Registry>()
}
