//! What a command says that must fail.

use std::process::Output;

/// Standard error of a command that must fail.
pub fn failure(output: &Output) -> String {
    assert!(!output.status.success(), "it succeeded: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}
