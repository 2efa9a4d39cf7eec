//! Runs the catalog service.

use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<catalog::Catalog>()
}
