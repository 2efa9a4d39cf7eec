use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<gateway::Gateway>()
}
