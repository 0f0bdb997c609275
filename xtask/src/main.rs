//! Repository automation: `./x` prepares the machine, then hands over to `cargo xtask`.
//!
//! **Invariant:** never part of what is shipped, and never depends on a crate that draws or updates: it works
//! (and tells what is wrong) when the rest does not compile.

mod bench;
mod check;
mod demo;
mod disk;
mod display;
mod foreign;
mod fuzz;
mod interop;
mod proc;
mod program;
mod sim;
mod soak;
mod steps;
mod tidy;
mod window;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "xtask", about = "Repository automation; usually called by ./x")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that must pass; ends with the line `N passed, N failed`
    Test {
        /// Run only these steps
        #[arg(long, num_args = 1.., value_name = "STEP")]
        only: Vec<String>,
        /// Leave these steps out
        #[arg(long, num_args = 1.., value_name = "STEP")]
        skip: Vec<String>,
    },
    /// The repository's own rules alone
    Tidy,
    /// Measure Staysail and Tauri 2; results in target/bench
    Bench {
        /// Groups: dev call start memory binary update; all when none is named
        groups: Vec<String>,
        /// Measure Staysail alone
        #[arg(long)]
        no_peers: bool,
        /// How often each thing is measured
        #[arg(long, default_value_t = 10)]
        runs: usize,
    },
    /// Look for bytes that break a parser; all targets when none is named
    Fuzz {
        /// Targets, as fuzz/fuzz_targets names them
        targets: Vec<String>,
        /// Minutes for each
        #[arg(long, default_value_t = 10)]
        minutes: u64,
    },
    /// Simulated updates with faults at every effect; the laws asserted after every step
    Sim {
        /// Replay this schedule and print what happens in it
        #[arg(long)]
        seed: Option<u64>,
        /// How many schedules are run
        #[arg(long, default_value_t = sim::NIGHTLY_SCHEDULES)]
        schedules: u64,
        /// The scenario to begin with
        #[arg(long, default_value_t = 0)]
        scenario: u64,
        /// A million schedules of scenarios that no other night has
        #[arg(long, conflicts_with_all = ["seed", "schedules", "scenario"])]
        nightly: bool,
    },
    /// One real window, changed by saves and by published releases
    Demo,
    /// Swaps and reloads under mixed load in one window; report in target/soak
    Soak {
        /// How long; half an hour has 1,000 swaps and 100 page loads
        #[arg(long, default_value_t = 30)]
        minutes: u64,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let root = root();
    match arguments.task {
        Task::Test { only, skip } => check::check(&root, &only, &skip),
        Task::Bench { groups, no_peers, runs } => bench::run(&root, &groups, !no_peers, runs),
        Task::Fuzz { targets, minutes } => fuzz::fuzz(&root, minutes, &targets),
        Task::Demo => demo::run(&root).map(|()| true),
        Task::Sim { nightly: true, .. } => Ok(sim::simulate(&root, &sim::of_tonight())?.ok),
        Task::Sim { seed, schedules, scenario, .. } => {
            Ok(sim::simulate(&root, &sim::arguments(seed, schedules, scenario))?.ok)
        }
        Task::Soak { minutes } => soak::run(&root, minutes),
        Task::Tidy => Ok(tidy::run(&root)?.1 == 0),
    }
}

/// The repository's folder, wherever this was called from.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
