//! `cargo xtask test`: everything that must pass, in the order that fails soonest.
//!
//! A step that fails does not hide the ones behind it: all run that still make sense, the failed ones are
//! listed at the end, and the last line adds up what every test runner counted.

use crate::disk;
use crate::sim;
use crate::steps::{Outcome, Tally, cargo, run, run_beside_others};
use anyhow::Context;
use serde_json::Value;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The steps, in order.
pub const STEPS: [&str; 14] = [
    "format", "tidy", "deny", "lints", "foreign", "docs", "build", "unit", "interop", "sim", "page",
    "examples", "browser", "windows",
];

/// Folders below `examples` with tests of their own.
const EXAMPLES: [&str; 3] = ["notebook", "kitchen-sink", "exclusive"];

/// What the first run on a machine puts on the disk, in GB: less than this free is said before an hour is spent.
const DISK_GB: f64 = 16.0;
/// A linker that hits the end of the disk says "bus error", a window nothing at all: below this the disk is suspected.
const DISK_FULL_GB: f64 = 2.0;

/// The package of the tests with a window.
const WINDOW_TESTS: &str = "staysail-e2e";
/// Compiles all programs and tests. Always all of them: what a dependency is compiled with follows from who is compiled
/// beside it, and another choice of packages means compiling most things once more.
const COMPILE: [&str; 4] = ["test", "--workspace", "--no-run", "--locked"];

/// Programs with window tests that run at once: each is busy on one processor at a time, mostly.
const LANES: usize = 2;
/// Window tests of minutes, the longest first.
const LONG: [&str; 6] =
    ["templates_frameworks-", "live_update-", "rollback-", "update_policy-", "stranger-", "shell_module-"];

const STEP_LIMIT: Duration = Duration::from_secs(45 * 60);
/// Fetching RustSec's list.
const FETCH_LIMIT: Duration = Duration::from_secs(120);

/// Runs the steps; `only` names those wanted, all when empty.
///
/// # Errors
/// When a tool that every step needs can not be started.
pub fn check(root: &Path, only: &[String], skip: &[String]) -> anyhow::Result<bool> {
    for name in only.iter().chain(skip) {
        anyhow::ensure!(
            STEPS.contains(&name.as_str()),
            "there is no step `{name}`; steps: {}",
            STEPS.join(" ")
        );
    }
    let first = !root.join("target/e2e").exists();
    if let Some(free) = disk::free_gb(root).filter(|free| first && *free < DISK_GB) {
        println!("note: the first run takes up to {DISK_GB} GB below target/; {free:.1} GB are free");
    }
    let mut outcomes: Vec<Outcome> = Vec::new();
    for name in STEPS {
        let wanted = only.is_empty() || only.iter().any(|wanted| wanted == name);
        if !wanted || skip.iter().any(|skipped| skipped == name) {
            continue;
        }
        let without_build = outcomes.iter().any(|outcome| outcome.name == "build" && !outcome.ok);
        if (name == "windows" || name == "browser") && without_build {
            println!("\n=== {name}: left out, there is nothing to open a window with (step `build` failed)");
            continue;
        }
        outcomes.push(step(root, name)?);
    }
    for outcome in outcomes.iter().filter(|outcome| !outcome.ok) {
        println!("\n=== {} failed:\n{}", outcome.name, outcome.reasons.join("\n"));
    }
    let mut tally = Tally::default();
    println!("\n=== summary");
    for outcome in &mut outcomes {
        // A step that failed before its runner could count is one failure.
        if !outcome.ok && outcome.tally.failed == 0 {
            outcome.tally.failed = 1;
        }
        tally.add(outcome.tally);
        let Outcome { name, ok, took, tally, .. } = outcome;
        let skipped = if tally.skipped == 0 { String::new() } else { format!(", {} skipped", tally.skipped) };
        println!(
            "{:<9} {:<6} {:>7.1} s{skipped}",
            name,
            if *ok { "ok" } else { "FAILED" },
            took.as_secs_f64()
        );
    }
    let failed: Vec<&str> =
        outcomes.iter().filter(|outcome| !outcome.ok).map(|outcome| outcome.name.as_str()).collect();
    if !failed.is_empty() {
        println!("failed: {}; one step alone: ./x test --only {}", failed.join(", "), failed[0]);
        if let Some(free) = disk::free_gb(root).filter(|free| *free < DISK_FULL_GB) {
            println!(
                "note: {free:.1} GB of the disk are free: it may have been full meanwhile, and that be the reason"
            );
        }
    }
    let skipped = if tally.skipped == 0 { String::new() } else { format!(", {} skipped", tally.skipped) };
    println!("{} passed, {} failed{skipped}", tally.passed, tally.failed);
    Ok(failed.is_empty())
}

fn step(root: &Path, name: &str) -> anyhow::Result<Outcome> {
    let cargo = |arguments: &[&str]| cargo(root, arguments);
    match name {
        "format" => run(name, &mut cargo(&["fmt", "--all", "--check"]), STEP_LIMIT),
        "tidy" => tidy(root),
        "deny" => deny(root),
        "lints" => {
            let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
            run(name, &mut cargo(&arguments), STEP_LIMIT)
        }
        "foreign" => crate::foreign::check(root),
        "docs" => {
            let mut command = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
            run(name, command.env("RUSTDOCFLAGS", "-D warnings"), STEP_LIMIT)
        }
        "build" => run(name, &mut cargo(&COMPILE), STEP_LIMIT),
        "unit" => {
            let arguments = ["test", "--workspace", "--exclude", WINDOW_TESTS, "--locked", "--no-fail-fast"];
            run(name, &mut cargo(&arguments), STEP_LIMIT)
        }
        "sim" => sim::simulate(root, &sim::arguments(None, sim::TEST_SCHEDULES, 0)),
        "interop" => crate::interop::check(root),
        "page" => npm_tests(root, name, &["packages/api", "packages/vite-plugin"]),
        "browser" => npm_tests(root, name, &["tests/browser"]),
        "examples" => examples(root),
        "windows" => windows(root),
        _ => anyhow::bail!("there is no step `{name}`"),
    }
}

/// Each a workspace of its own; what they are built from they share with the projects of the window tests.
fn examples(root: &Path) -> anyhow::Result<Outcome> {
    let test = |example: &str| {
        let mut command = Command::new("cargo");
        command
            .args(["test", "--workspace", "--locked"])
            .current_dir(root.join("examples").join(example))
            .env("CARGO_TARGET_DIR", root.join("target/e2e/1/cargo"));
        run("examples", &mut command, STEP_LIMIT)
    };
    let outcomes = EXAMPLES.iter().map(|example| test(example)).collect::<anyhow::Result<Vec<_>>>()?;
    outcomes.into_iter().reduce(Outcome::and).context("examples: there are none")
}

fn tidy(root: &Path) -> anyhow::Result<Outcome> {
    println!("\n=== tidy");
    let start = std::time::Instant::now();
    let (_, broken) = crate::tidy::run(root)?;
    let ok = broken == 0;
    let reasons = if ok { Vec::new() } else { vec!["see what it said above".into()] };
    Ok(Outcome { ok, took: start.elapsed(), reasons, ..Outcome::good("tidy") })
}

/// Licences, bans and sources always; known vulnerabilities where RustSec's list can be fetched.
fn deny(root: &Path) -> anyhow::Result<Outcome> {
    let check = |what: &[&str]| {
        let mut command = Command::new("cargo");
        command.args(["deny", "check"]).args(what).current_dir(root);
        command
    };
    let mut outcome = run("deny", &mut check(&["licenses", "bans", "sources"]), STEP_LIMIT)?;
    let advisories = run("deny (advisories)", &mut check(&["advisories"]), FETCH_LIMIT)?;
    outcome.took += advisories.took;
    let unreachable = advisories.tail.contains("failed to fetch advisory database");
    if unreachable || advisories.took >= FETCH_LIMIT {
        println!("deny: RustSec's list of advisories can not be reached from here: this check is left out");
    } else {
        outcome.ok &= advisories.ok;
    }
    Ok(outcome)
}

/// Several folders that are tested by Node.js: the packages of the page (`page`: types, build and their own tests), and
/// apps in Chromium (`browser`).
fn npm_tests(root: &Path, name: &str, folders: &[&str]) -> anyhow::Result<Outcome> {
    let mut whole: Option<Outcome> = None;
    for folder in folders {
        let npm = |arguments: &[&str]| {
            let mut command = Command::new("npm");
            command.args(arguments).current_dir(root.join(folder));
            command
        };
        let mut outcome = run(name, &mut npm(&["ci", "--no-audit", "--no-fund"]), STEP_LIMIT)?;
        if outcome.ok {
            outcome = outcome.and(run(name, &mut npm(&["test"]), STEP_LIMIT)?);
        }
        whole = Some(match whole {
            None => outcome,
            Some(before) => before.and(outcome),
        });
    }
    whole.ok_or_else(|| anyhow::anyhow!("{name}: no folder is tested"))
}

/// Black-box tests in a real window, each on a display of its own, so many programs at a time as there are lanes
/// (`tests/e2e/src/stage.rs`).
fn windows(root: &Path) -> anyhow::Result<Outcome> {
    let mut whole = run("windows", &mut cargo(root, &COMPILE), STEP_LIMIT)?;
    if !whole.ok {
        return Ok(whole);
    }
    let begun = Instant::now();
    let listed = cargo(root, &COMPILE).args(["--quiet", "--message-format=json"]).output();
    let listed = listed.context("windows: asking cargo for the tests' programs")?;
    let programs = programs(&String::from_utf8_lossy(&listed.stdout), "tests/e2e");
    anyhow::ensure!(!programs.is_empty(), "windows: cargo names no tests of {WINDOW_TESTS}");
    let queue = Mutex::new(in_order(programs));
    let compiled = whole.took;
    let lane = || -> anyhow::Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        loop {
            let Some(program) = queue.lock().ok().and_then(|mut queue| queue.pop_front()) else {
                return Ok(outcomes);
            };
            let mut test = Command::new(program);
            test.arg("--test-threads=1").current_dir(root.join("tests/e2e"));
            outcomes.push(run_beside_others("windows", &mut test, STEP_LIMIT)?);
        }
    };
    let lanes: anyhow::Result<Vec<Vec<Outcome>>> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().map(|lane| lane.join().map_err(|_| anyhow::anyhow!("a lane died"))?).collect()
    });
    whole = lanes.context("windows")?.into_iter().flatten().fold(whole, Outcome::and);
    whole.took = compiled + begun.elapsed();
    Ok(whole)
}

/// Those that take minutes before the others, so that the lanes end at about the same time; else by name, not in the
/// order in which they happened to be compiled.
fn in_order(mut programs: Vec<PathBuf>) -> VecDeque<PathBuf> {
    let place = |program: &PathBuf| {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        LONG.iter().position(|long| name.starts_with(long)).unwrap_or(LONG.len())
    };
    programs.sort_by_key(|program| (place(program), program.clone()));
    programs.into()
}

/// The programs with tests of the package in this folder, among cargo's messages.
fn programs(messages: &str, folder: &str) -> Vec<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let tests = messages.filter(|message| {
        let manifest = message["manifest_path"].as_str().unwrap_or_default();
        message["profile"]["test"] == true && Path::new(manifest).ends_with(format!("{folder}/Cargo.toml"))
    });
    tests.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_with_tests_of_one_package_are_found_among_what_cargo_says() {
        let message = |folder: &str, test: bool, program: &str| {
            let executable = if program.is_empty() { Value::Null } else { program.into() };
            let message = serde_json::json!({
                "reason": "compiler-artifact",
                "manifest_path": format!("/here/{folder}/Cargo.toml"),
                "profile": { "test": test },
                "executable": executable,
            });
            message.to_string()
        };
        let messages = [
            message("tests/e2e", false, ""),
            message("tests/e2e", true, "/here/target/debug/deps/e2e-1"),
            "no message".into(),
            message("crates/cli", false, "/here/target/debug/staysail"),
            message("crates/cli", true, "/here/target/debug/deps/keys-1"),
            message("tests/e2e", true, "/here/target/debug/deps/windows-1"),
            r#"{"reason":"build-finished","success":true}"#.into(),
        ];
        let found = programs(&messages.join("\n"), "tests/e2e");
        assert_eq!(found, ["e2e-1", "windows-1"].map(|name| Path::new("/here/target/debug/deps").join(name)));
    }

    #[test]
    fn window_tests_of_minutes_begin_first_and_the_others_follow_by_name() {
        let given = ["windows-1", "rollback-3", "app_power-2", "templates_frameworks-9"].map(PathBuf::from);
        let expected =
            ["templates_frameworks-9", "rollback-3", "app_power-2", "windows-1"].map(PathBuf::from);
        assert_eq!(in_order(given.to_vec()), expected);
    }
}
