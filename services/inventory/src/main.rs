//! Runs the inventory service.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<inventory::Inventory>()
}
