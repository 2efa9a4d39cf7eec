use std::process::ExitCode;

fn main() -> ExitCode {
    app::main::<users::Users>()
}
