//! `cargo xtask sim`: simulated updates with faults at every effect (`crates/testkit`), built with optimisation and with
//! every assertion.

use crate::steps::{Outcome, cargo, run};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Schedules within `./x test`.
pub const TEST_SCHEDULES: u64 = 20_000;
/// Schedules of a night, and when nothing is said.
pub const NIGHTLY_SCHEDULES: u64 = 1_000_000;
/// More scenarios than a night comes through, so that every night has others.
const NIGHTLY_SCENARIOS: u64 = 1_000;
/// Broken schedules after which a night ends: the first one rarely tells all.
const NIGHTLY_FAILURES: u64 = 20;
/// A night.
const LIMIT: Duration = Duration::from_secs(8 * 60 * 60);

/// Runs the simulation with these arguments as a step.
///
/// # Errors
/// When cargo can not be started.
pub fn simulate(root: &Path, arguments: &[String]) -> anyhow::Result<Outcome> {
    let own = ["run", "--profile", "sim", "--locked", "--package", "staysail-testkit", "--bin", "sim", "--"];
    run("sim", cargo(root, &own).args(arguments), LIMIT)
}

/// The arguments for one seed, or for so many schedules from a scenario on.
pub fn arguments(seed: Option<u64>, schedules: u64, scenario: u64) -> Vec<String> {
    match seed {
        Some(seed) => vec!["--seed".into(), seed.to_string()],
        None => vec!["--schedules".into(), schedules.to_string(), "--scenario".into(), scenario.to_string()],
    }
}

/// The arguments for tonight: they follow from the date, and so can be given again.
pub fn of_tonight() -> Vec<String> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    of_night(since.as_secs() / 86_400)
}

fn of_night(day: u64) -> Vec<String> {
    let mut arguments = arguments(None, NIGHTLY_SCHEDULES, day * NIGHTLY_SCENARIOS);
    arguments.extend(["--failures".into(), NIGHTLY_FAILURES.to_string()]);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_nights_share_no_scenario() {
        let scenario = |day| of_night(day)[3].parse::<u64>().unwrap();
        assert_eq!(scenario(20_001) - scenario(20_000), NIGHTLY_SCENARIOS);
        assert_eq!(of_night(3).join(" "), "--schedules 1000000 --scenario 3000 --failures 20");
    }
}
