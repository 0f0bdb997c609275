//! The generic shell as a program. See the library.
//!
//! **Invariant:** nothing here but the call of the library and the message when it fails.

use std::process::ExitCode;

fn main() -> ExitCode {
    staysail_supervise::guardian_main();
    match staysail_shell::launch::launch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Under the name the user knows the app by.
            let program = std::env::current_exe().unwrap_or_default();
            eprintln!("{}: {error}", program.file_stem().unwrap_or_default().display());
            ExitCode::FAILURE
        }
    }
}
