//! The generic shell as a program. See the library.
//!
//! **Invariant:** nothing here but the call of the library and the message when it fails.

use std::process::ExitCode;

fn main() -> ExitCode {
    staysail_supervise::guardian_main();
    match staysail_shell::launch::launch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("staysail-shell: {error}");
            ExitCode::FAILURE
        }
    }
}
