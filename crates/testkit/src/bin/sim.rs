//! `./x sim`: runs schedules, and says which seed broke what.

use clap::Parser;
use staysail_testkit::faults::Kind;
use staysail_testkit::schedule::{Outcome, Seed, run};
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
    let work = || {
        while !enough() {
            // One scenario and one sort of fault at a time: k = 1, 2, … until none strikes.
            let number = next.fetch_add(1, Ordering::Relaxed);
            let kinds = Kind::ALL.len() as u64;
            let kind = Kind::ALL[(number % kinds) as usize];
            for at in 1..EFFECTS_MAX {
                let seed = Seed { scenario: arguments.scenario + number / kinds, kind, at };
                let outcome = run(seed, false);
                done.fetch_add(1, Ordering::Relaxed);
                if let (Some(broken), Ok(mut failures)) = (outcome.broken, failures.lock()) {
                    let number = seed.number();
                    println!("BROKEN {kind:?}: {broken}\n       replay with: ./x sim --seed {number}");
                    failures.push(number);
                }
                if !outcome.struck || enough() {
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
        "{done} schedules of {} scenarios in {:.1} s, {} broken",
        next.into_inner() / Kind::ALL.len() as u64 + 1,
        start.elapsed().as_secs_f64(),
        failures.len()
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
