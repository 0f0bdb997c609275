//! Type checks of the code for the systems this machine is not, as far as that goes without them.
//!
//! # Theory of operation
//! `cargo check` links nothing, so of a foreign system only Rust's own standard library is needed, which rustup has.
//! Build scripts that compile C want a cross compiler all the same; they get one that makes the files it is asked for,
//! empty. What is checked so is never run: only a machine of that system can do that.

use crate::steps::{Outcome, Tally, cargo, run};
use anyhow::Context;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Windows and macOS.
const TARGETS: [&str; 2] = ["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];
/// The crates with code for one system alone, and all they use.
const PACKAGES: [&str; 6] =
    ["staysail", "staysail-supervise", "staysail-watch", "staysail-shell", "staysail-cli", "staysail-server"];
/// Fetching one target's standard library.
const FETCH_LIMIT: Duration = Duration::from_secs(300);
const CHECK_LIMIT: Duration = Duration::from_secs(30 * 60);

/// Makes the file behind `-o` (a compiler's), or each one that ends in `.a` (an archiver's).
const PRETENDER: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    -o) shift; : > "$1" ;;
    *.a) : > "$1" ;;
  esac
  shift
done
"#;

/// Checks the foreign targets whose standard library is there or can be fetched, both at once: each waits for the last
/// of its crates alone.
///
/// # Errors
/// When cargo can not be started.
pub fn check(root: &Path) -> anyhow::Result<Outcome> {
    let pretender = pretender(root)?;
    let mut all = Outcome::good("foreign");
    let mut command = cargo(root, &["clippy", "--locked"]);
    let mut checked = 0;
    for target in TARGETS {
        if !is_installed(target) {
            let mut add = Command::new("rustup");
            let added = run("foreign", add.args(["target", "add", target]), FETCH_LIMIT);
            if !added.is_ok_and(|added| added.ok) {
                println!(
                    "foreign: the standard library for {target} can not be had here; that system is left out"
                );
                all = all.and(left_out());
                continue;
            }
        }
        checked += 1;
        command.args(["--target", target]);
        for tool in ["CC", "CXX", "AR", "RANLIB"] {
            command.env(format!("{tool}_{}", target.replace('-', "_")), &pretender);
        }
    }
    if checked == 0 {
        return Ok(all);
    }
    for package in PACKAGES {
        command.args(["-p", package]);
    }
    command.args(["--", "-D", "warnings"]);
    Ok(all.and(run("foreign", &mut command, CHECK_LIMIT)?))
}

/// A system that is not checked: skipped, and not silently so.
fn left_out() -> Outcome {
    Outcome { tally: Tally { skipped: 1, ..Tally::default() }, ..Outcome::good("foreign") }
}

fn is_installed(target: &str) -> bool {
    let Ok(output) = Command::new("rustup").args(["target", "list", "--installed"]).output() else {
        return false;
    };
    String::from_utf8_lossy(&output.stdout).lines().any(|line| line.trim() == target)
}

fn pretender(root: &Path) -> anyhow::Result<PathBuf> {
    let path = root.join("target/tools/pretended-compiler");
    let folder = root.join("target/tools");
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    std::fs::write(&path, PRETENDER).with_context(|| format!("writing {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::left_out;

    #[test]
    fn a_system_that_is_left_out_is_counted_as_skipped_and_fails_nothing() {
        let both = left_out().and(left_out());
        assert!(both.ok);
        assert_eq!((both.tally.passed, both.tally.failed, both.tally.skipped), (0, 0, 2));
    }
}
