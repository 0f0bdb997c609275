//! `cargo xtask soak`: builds what is soaked, optimised, and lets `tests/e2e` do it.

use std::path::Path;
use std::process::{Command, Stdio};

/// Whether nothing was lost and nothing grew.
///
/// # Errors
/// When something can not be built or started.
pub fn run(root: &Path, minutes: u64) -> anyhow::Result<bool> {
    println!("=== building staysail, staysail-shell and staysail-server, optimised");
    let packages = ["-p", "staysail-cli", "-p", "staysail-shell", "-p", "staysail-server"];
    let mut build = Command::new("cargo");
    crate::bench::succeed(build.args(["build", "--release", "--locked"]).args(packages).current_dir(root))?;
    let status = Command::new("cargo")
        .args(["run", "--locked", "-p", "staysail-e2e", "--bin", "soak", "--", "--minutes"])
        .arg(minutes.to_string())
        .env("STAYSAIL_BIN_DIR", root.join("target/release"))
        .current_dir(root)
        .stdin(Stdio::null())
        .status()?;
    Ok(status.success())
}
