//! Other clients of the same standard, made ready under `target/interop`, and the tests in which they and we read each
//! other's repositories (`crates/update/tests/interop.rs`).

use crate::steps::{Outcome, run};
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
    if !python.exists() {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(own.join("venv"));
        steps.push(venv);
    }
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    install.arg(root.join("tests/interop/requirements.txt"));
    steps.push(install);
    let mut build = Command::new("cargo");
    build.args(["build", "--locked", "--manifest-path"]).arg(root.join("tests/interop/tough/Cargo.toml"));
    build.env("CARGO_TARGET_DIR", own.join("cargo"));
    steps.push(build);
    let mut test = Command::new("cargo");
    test.args(["test", "--locked", "-p", "staysail-update", "--test", "interop", "--", "--ignored"]);
    let script = root.join("tests/interop/python_tuf.py");
    test.env("STAYSAIL_INTEROP_PYTHON_TUF", format!("{}\n{}", python.display(), script.display()));
    test.env("STAYSAIL_INTEROP_TOUGH", own.join("cargo/debug/tough-interop")).current_dir(root);
    steps.push(test);
    let mut took = Duration::ZERO;
    let mut last = None;
    for mut step in steps {
        let outcome = run("interop", &mut step, LIMIT)?;
        took += outcome.took;
        let ok = outcome.ok;
        last = Some(outcome);
        if !ok {
            break;
        }
    }
    let last = last.ok_or_else(|| anyhow::anyhow!("interop: nothing was done"))?;
    Ok(Outcome { took, ..last })
}
