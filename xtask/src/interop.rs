//! Other clients of the same standard, made ready under `target/interop`, and the tests in which they and we read each
//! other's repositories (`crates/update/tests/interop.rs`).

use crate::steps::{Outcome, cargo, run};
use anyhow::Context;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(15 * 60);

/// Installs python-tuf, builds the program with tough, runs the tests. A registry that can not be reached is a failure: what
/// is not shown is not known.
///
/// # Errors
/// When a tool can not be started.
pub fn check(root: &Path) -> anyhow::Result<Outcome> {
    let own = root.join("target/interop");
    std::fs::create_dir_all(&own)?;
    let python = own.join("venv/bin/python");
    let mut steps = Vec::new();
    // What was cut off in the middle has no pip yet.
    if !own.join("venv/bin/pip").exists() {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(own.join("venv"));
        steps.push(venv);
    }
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    install.arg(root.join("tests/interop/requirements.txt"));
    steps.push(install);
    let mut build = cargo(&root.join("tests/interop/tough"), &["build", "--locked"]);
    build.env("CARGO_TARGET_DIR", own.join("cargo"));
    steps.push(build);
    // With the whole workspace, as it was compiled before (`check`).
    let arguments = ["test", "--locked", "--workspace", "--test", "interop", "--", "--ignored"];
    let mut test = cargo(root, &arguments);
    let script = root.join("tests/interop/python_tuf.py");
    test.env("STAYSAIL_INTEROP_PYTHON_TUF", format!("{}\n{}", python.display(), script.display()));
    test.env("STAYSAIL_INTEROP_TOUGH", own.join("cargo/debug/tough-interop"));
    steps.push(test);
    let mut all: Option<Outcome> = None;
    for mut step in steps {
        let outcome = run("interop", &mut step, LIMIT)?;
        let so_far = match all {
            None => outcome,
            Some(before) => before.and(outcome),
        };
        let ok = so_far.ok;
        all = Some(so_far);
        if !ok {
            break;
        }
    }
    all.context("interop: nothing was done")
}
