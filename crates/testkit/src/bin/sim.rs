//! `./x sim`: runs schedules, and says which seed broke what.

use clap::Parser;
use staysail_testkit::faults::Kind;
use staysail_testkit::schedule::{Outcome, Seed, run};
use staysail_testkit::world::Setting;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Parser)]
#[command(about = "Simulates updates with faults at every effect, and asserts the laws of PRODUCT.md")]
struct Arguments {
    /// Replay this schedule and print what happens in it
    #[arg(long)]
    seed: Option<u64>,
    /// How many schedules are run
    #[arg(long, default_value_t = 1_000_000)]
    schedules: u64,
    /// The scenario to begin with; each one has a few thousand schedules
    #[arg(long, default_value_t = 0)]
    scenario: u64,
    /// Go on after a failure, up to so many
    #[arg(long, default_value_t = 1)]
    failures: usize,
}

/// Effects of one scenario, far more than any has.
const EFFECTS_MAX: u64 = 10_000;
const KINDS: u64 = Kind::ALL.len() as u64;
const SETTINGS: u64 = Setting::ALL.len() as u64;
/// So many times it is said how far it has come.
const REPORTS: u64 = 20;
/// One in so many schedules has no fault.
const FAULTLESS_PART: u64 = 20;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match arguments.seed {
        Some(seed) => replay(seed),
        None => simulate(&arguments),
    }
}

fn replay(seed: u64) -> ExitCode {
    let Outcome { struck, broken, trace, digest } = run(Seed::from_number(seed), true);
    for line in trace {
        println!("{line}");
    }
    println!(
        "seed {seed}: {:?}, the fault {}; effects {digest:016x}",
        Seed::from_number(seed),
        if struck { "struck" } else { "did not strike" }
    );
    match broken {
        Some(broken) => {
            println!("BROKEN {broken}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

fn simulate(arguments: &Arguments) -> ExitCode {
    let start = std::time::Instant::now();
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let failures: Mutex<Vec<u64>> = Mutex::default();
    let enough = || {
        let found = failures.lock().map_or(usize::MAX, |failures| failures.len());
        found >= arguments.failures || done.load(Ordering::Relaxed) >= arguments.schedules
    };
    let tried = |seed: Seed| {
        let outcome = run(seed, false);
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of((arguments.schedules / REPORTS).max(1)) {
            println!("{done} of {} schedules, {:.0} s", arguments.schedules, start.elapsed().as_secs_f64());
        }
        if let (Some(broken), Ok(mut failures)) = (outcome.broken, failures.lock()) {
            let (Seed { setting, kind, .. }, number) = (seed, seed.number());
            println!("BROKEN {setting:?} {kind:?}: {broken}\n       replay with: ./x sim --seed {number}");
            failures.push(number);
        }
        outcome.struck
    };
    // What machine and user do is different in each scenario, and seen best where nothing goes wrong: many of them first.
    let scenarios = arguments.schedules / SETTINGS / FAULTLESS_PART;
    let faultless = AtomicU64::new(0);
    let work = || {
        while !enough() {
            let number = faultless.fetch_add(1, Ordering::Relaxed);
            if number >= scenarios * SETTINGS {
                break;
            }
            let setting = Setting::ALL[(number % SETTINGS) as usize];
            tried(Seed {
                setting,
                scenario: arguments.scenario + number / SETTINGS,
                kind: Kind::None,
                at: 1,
            });
        }
        while !enough() {
            // One scenario in one setting and one sort of fault at a time: k = 1, 2, … until none strikes.
            let number = next.fetch_add(1, Ordering::Relaxed);
            let setting = Setting::ALL[(number % SETTINGS) as usize];
            let kind = Kind::ALL[(number / SETTINGS % KINDS) as usize];
            let scenario = arguments.scenario + number / KINDS / SETTINGS;
            for at in 1..EFFECTS_MAX {
                if !tried(Seed { setting, scenario, kind, at }) || enough() {
                    break;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap_or_default();
    let done = done.into_inner();
    println!(
        "{done} schedules in {:.1} s, with faults at every effect those of {} scenarios, {} broken",
        start.elapsed().as_secs_f64(),
        next.into_inner().div_ceil(KINDS * SETTINGS),
        failures.len()
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
