//! `./x soak`: endurance in one window. Ends with a report, and with exit code 1 when something was lost or grew.

use anyhow::{Context, bail};
use staysail_e2e::soak::{Plan, run};
use staysail_e2e::stage::{Stage, repository};
use std::process::ExitCode;
use std::time::Duration;

/// What half an hour has; shorter runs have as many a minute.
const SWAPS: u64 = 1_000;
const RELOADS: u64 = 100;
const MINUTES: u64 = 30;

fn main() -> ExitCode {
    match soak() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("soak: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn soak() -> anyhow::Result<bool> {
    let mut minutes = MINUTES;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--minutes" => {
                let value = arguments.next().context("--minutes needs a number")?;
                minutes = value.parse().with_context(|| format!("--minutes {value} is no number"))?;
            }
            other => bail!("there is no option {other}; there is --minutes N"),
        }
    }
    let minutes = minutes.max(1);
    let plan = Plan {
        duration: Duration::from_secs(minutes * 60),
        swaps: (SWAPS * minutes).div_ceil(MINUTES),
        reloads: (RELOADS * minutes).div_ceil(MINUTES),
    };
    println!("{minutes} minutes: {} swaps, {} page loads", plan.swaps, plan.reloads);
    let stage = Stage::enter("soak")?;
    let outcome = run(&stage, plan);
    let report = outcome.inspect_err(|_| {
        stage.screenshot("failed");
        eprintln!("{}", staysail_e2e::child::outputs());
    })?;
    let folder = repository().join("target/soak");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("report.json"), serde_json::to_string_pretty(&report.json())? + "\n")?;
    println!("\n{}", report.text());
    Ok(report.is_correct() && report.is_steady())
}
