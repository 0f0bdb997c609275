//! The generic shell as a program. See the library.
//!
//! **Invariant:** nothing here but the call of the library and the message when it fails.

use std::process::ExitCode;

fn main() -> ExitCode {
    staysail_supervise::guardian_main();
    let program = staysail_shell::launch::program();
    match staysail_shell::launch::launch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
    }
}
