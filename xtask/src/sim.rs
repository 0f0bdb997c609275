//! `cargo xtask sim`: simulated updates with faults at every effect (`crates/testkit`), built with optimisation and with
//! every assertion.

use crate::steps::{Outcome, run};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Schedules within `./x test`.
pub const TEST_SCHEDULES: u64 = 20_000;
/// Schedules of a night, and when nothing is said.
pub const NIGHTLY_SCHEDULES: u64 = 1_000_000;
/// A night.
const LIMIT: Duration = Duration::from_secs(8 * 60 * 60);

/// Runs the simulation with these arguments as a step.
///
/// # Errors
/// When cargo can not be started.
pub fn simulate(root: &Path, arguments: &[String]) -> anyhow::Result<Outcome> {
    let mut command = Command::new("cargo");
    command
        .args(["run", "--profile", "sim", "--locked", "--package", "staysail-testkit", "--bin", "sim", "--"])
        .args(arguments)
        .current_dir(root);
    run("sim", &mut command, LIMIT)
}

/// The arguments for one seed, or for so many schedules from a scenario on.
pub fn arguments(seed: Option<u64>, schedules: u64, scenario: u64) -> Vec<String> {
    match seed {
        Some(seed) => vec!["--seed".into(), seed.to_string()],
        None => vec!["--schedules".into(), schedules.to_string(), "--scenario".into(), scenario.to_string()],
    }
}
