//! `cargo xtask soak`: kills apps in the middle of updates, then builds what is soaked, optimised, and lets `tests/e2e` do it.

use anyhow::Context as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The variable that names a moment at which an app is killed.
const MOMENTS: &[u8] = b"STAYSAIL_FAILPOINT";

/// Whether nothing was lost and nothing grew.
///
/// # Errors
/// When something can not be built or started.
pub fn run(root: &Path, minutes: u64) -> anyhow::Result<bool> {
    println!("=== killing apps at every moment of an update, and two hundred times at random");
    let kills = [
        "test",
        "--locked",
        "-p",
        "staysail-testkit",
        "--test",
        "processes",
        "--",
        "--ignored",
        "--nocapture",
    ];
    crate::bench::succeed(Command::new("cargo").args(kills).current_dir(root))?;
    println!("=== building staysail, staysail-shell and staysail-server, optimised");
    let packages = ["-p", "staysail-cli", "-p", "staysail-shell", "-p", "staysail-server"];
    let mut build = Command::new("cargo");
    crate::bench::succeed(build.args(["build", "--release", "--locked"]).args(packages).current_dir(root))?;
    has_no_moments(&root.join("target/release/staysail-shell"))?;
    let status = Command::new("cargo")
        .args(["run", "--locked", "-p", "staysail-e2e", "--bin", "soak", "--", "--minutes"])
        .arg(minutes.to_string())
        .env("STAYSAIL_BIN_DIR", root.join("target/release"))
        .current_dir(root)
        .stdin(Stdio::null())
        .status()?;
    Ok(status.success())
}

/// What is shipped can not be killed by a variable: the moments of `crates/update/src/failpoint.rs` are not in it.
fn has_no_moments(shipped: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(shipped).with_context(|| shipped.display().to_string())?;
    anyhow::ensure!(
        !knows_moments(&bytes),
        "{} knows STAYSAIL_FAILPOINT: is it built with debug assertions?",
        shipped.display()
    );
    Ok(())
}

fn knows_moments(executable: &[u8]) -> bool {
    executable.windows(MOMENTS.len()).any(|window| window == MOMENTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executable_that_can_be_killed_by_a_variable_is_known() {
        assert!(knows_moments(b"\x7fELF STAYSAIL_FAILPOINT and more"));
        assert!(!knows_moments(b"\x7fELF STAYSAIL_FAIL"));
    }
}
