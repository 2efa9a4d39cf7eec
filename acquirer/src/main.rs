//! Runs the acquirer.

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut leash = false;
    for argument in std::env::args().skip(1) {
        if argument == "--leash" {
            leash = true;
        } else {
            return fail(&format!(
                "unknown argument `{argument}`; usage: citywatch-acquirer [--leash]"
            ));
        }
    }
    match acquirer::run(leash) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "error: {message}");
    ExitCode::FAILURE
}
