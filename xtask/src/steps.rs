//! Runs commands as steps: streams what they say, counts the tests they ran, bounds their time.

use anyhow::Context;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Cargo in a folder. On a machine that is thrown away after the run (`CI` is set), without the notes that make a second
/// build faster: 3 GB of the 14 that a run takes. By argument, because a variable would reach the projects of the tests.
pub fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    if std::env::var_os("CI").is_some() {
        command.args(["--config", "build.incremental=false"]);
    }
    command.args(arguments).current_dir(folder);
    command
}

/// What the test runners of one step reported, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed.
    pub failed: u64,
    /// Tests that were left out.
    pub skipped: u64,
}

impl Tally {
    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Reads one line of a runner's output: cargo test's `test result:` line or node's summary lines.
    pub fn read(&mut self, line: &str) {
        let line = without_colours(line);
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("test result:") {
            for part in rest.split([';', '.']) {
                let mut words = part.split_whitespace();
                let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
                let Ok(number) = number.parse::<u64>() else { continue };
                match what {
                    "passed" => self.passed += number,
                    "failed" => self.failed += number,
                    "ignored" => self.skipped += number,
                    _ => {}
                }
            }
        } else if let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) {
            let Some((what, number)) = rest.split_once(' ') else { return };
            let Ok(number) = number.parse::<u64>() else { return };
            match what {
                "pass" => self.passed += number,
                "fail" | "cancelled" => self.failed += number,
                "skipped" | "todo" => self.skipped += number,
                _ => {}
            }
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Whether it succeeded.
    pub ok: bool,
    /// The tests it counted.
    pub tally: Tally,
    /// How long it took.
    pub took: Duration,
    /// Its last lines, for a step whose output decides something.
    pub tail: String,
    /// Why it failed: the commands that did, each with the panics it told of, or else with its last lines.
    pub reasons: Vec<String>,
}

impl Outcome {
    /// One that is good, counted nothing and took no time.
    pub fn good(name: &str) -> Self {
        Self {
            name: name.into(),
            ok: true,
            tally: Tally::default(),
            took: Duration::ZERO,
            tail: String::new(),
            reasons: Vec::new(),
        }
    }

    /// This one and another, as one: with the name of this one, and the last lines of the other.
    pub fn and(mut self, other: Self) -> Self {
        self.ok &= other.ok;
        self.took += other.took;
        self.tally.add(other.tally);
        self.tail = other.tail;
        self.reasons.extend(other.reasons);
        self
    }
}

/// What is heard of a running command.
#[derive(Default)]
struct Heard {
    tally: Tally,
    tail: Vec<String>,
    /// Each panic's first lines.
    panics: Vec<String>,
    /// How many lines from here on belong to the last panic.
    panic_goes_on: usize,
    /// What is printed only at the end; `None` where each line is printed at once.
    held: Option<Vec<String>>,
}

/// Runs one command as a step, in a process group of its own that is killed when the limit is reached.
///
/// # Errors
/// When the command can not be started.
pub fn run(name: &str, command: &mut Command, limit: Duration) -> anyhow::Result<Outcome> {
    println!("\n=== {name}: {}", shown(command));
    run_heard(name, command, limit, None)
}

/// As [`run`] for one of several at the same time: what it says is printed together, when it has ended.
///
/// # Errors
/// When the command can not be started.
pub fn run_beside_others(name: &str, command: &mut Command, limit: Duration) -> anyhow::Result<Outcome> {
    let what = shown(command);
    println!("{name}: begun, told of when it ends: {what}");
    run_heard(name, command, limit, Some(vec![format!("\n=== {name}: {what}")]))
}

fn run_heard(
    name: &str,
    command: &mut Command,
    limit: Duration,
    held: Option<Vec<String>>,
) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| format!("{name}: {:?} can not be started", command.get_program()))?;
    let heard = Arc::new(Mutex::new(Heard { held, ..Heard::default() }));
    let mut listeners = Vec::new();
    for pipe in [
        child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
        child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>),
    ] {
        let heard = Arc::clone(&heard);
        listeners.extend(pipe.map(|pipe| std::thread::spawn(move || listen(pipe, &heard))));
    }
    let group = child.id();
    let (done, ended) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let status = child.wait();
        let _ = done.send(());
        status
    });
    let in_time = ended.recv_timeout(limit).is_ok();
    if !in_time && let Ok(mut heard) = heard.lock() {
        heard.line(format!("{name}: no end after {} s; killed", limit.as_secs()));
    }
    // What a step started and left behind would hold its pipes open; its group ends with it.
    kill_group(group);
    let status = waiter.join().map_err(|_| anyhow::anyhow!("{name}: the waiting thread died"))??;
    for listener in listeners {
        let _ = listener.join();
    }
    let mut heard = heard.lock().map_err(|_| anyhow::anyhow!("a listener died"))?;
    let took = start.elapsed();
    let ok = in_time && status.success();
    let tail = heard.tail.join("\n");
    let reasons = if ok { Vec::new() } else { heard.reasons(&shown(command)) };
    heard.line(format!("=== {name}: {} after {:.1} s", if ok { "ok" } else { "FAILED" }, took.as_secs_f64()));
    if let Some(held) = &heard.held {
        println!("{}", held.join("\n"));
    }
    Ok(Outcome { name: name.into(), ok, tally: heard.tally, took, tail, reasons })
}

/// Kills every process of a group.
pub fn kill_group(group: u32) {
    if let Ok(group) = i32::try_from(group) {
        // SAFETY: kill takes two integers and touches no memory of ours.
        unsafe { libc::kill(-group, libc::SIGKILL) };
    }
}

fn listen(pipe: Box<dyn Read + Send>, heard: &Mutex<Heard>) {
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        let Ok(mut heard) = heard.lock() else { return };
        heard.tally.read(&line);
        heard.line(line);
    }
}

impl Heard {
    /// Why this command failed.
    fn reasons(&self, command: &str) -> Vec<String> {
        const TAIL_LINES: usize = 20;
        let told = match self.panics.as_slice() {
            [] => &self.tail[self.tail.len().saturating_sub(TAIL_LINES)..],
            panics => panics,
        };
        [&[format!("--- {command}")], told].concat()
    }

    fn line(&mut self, line: String) {
        const TAIL_LINES_MAX: usize = 60;
        const PANIC_LINES: usize = 8;
        const PANICS_LINES_MAX: usize = 80;
        if line.contains("' panicked at ") || line.contains(") panicked at ") {
            self.panic_goes_on = PANIC_LINES;
        }
        if self.panic_goes_on > 0 && self.panics.len() < PANICS_LINES_MAX {
            self.panic_goes_on -= 1;
            self.panics.push(line.clone());
        }
        if self.tail.len() == TAIL_LINES_MAX {
            self.tail.remove(0);
        }
        match &mut self.held {
            None => println!("{line}"),
            Some(held) => held.push(line.clone()),
        }
        self.tail.push(line);
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// The line without its ANSI escape sequences.
pub fn without_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        if c == '\u{1b}' {
            characters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(c);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        tally
    }

    #[test]
    fn results_of_cargo_test_are_added_up_with_and_without_colours() {
        let lines = [
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s",
            "test result: \u{1b}[31mFAILED\u{1b}[m. 2 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out",
            "12 passed",
        ];
        assert_eq!(tally(&lines), Tally { passed: 5, failed: 1, skipped: 1 });
    }

    #[test]
    fn results_of_nodes_runner_are_added_up_in_both_of_its_forms() {
        let lines = ["# tests 9", "# pass 7", "# fail 1", "ℹ pass 2", "ℹ skipped 1", "ℹ duration_ms 12.5"];
        assert_eq!(tally(&lines), Tally { passed: 9, failed: 1, skipped: 1 });
    }

    #[test]
    fn a_failure_is_told_by_its_panics_or_by_its_last_lines() {
        let reasons = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            run("failing", &mut command, Duration::from_secs(60)).expect("sh starts").reasons.join("\n")
        };
        let panic = "thread 'tests::it' (7) panicked at src/lib.rs:3:5:\nit is not so";
        let told = reasons(&format!("echo first; echo \"{panic}\"; seq 100; exit 1"));
        assert!(told.contains(panic) && !told.contains("\nfirst\n") && !told.ends_with("100"), "{told}");
        let told = reasons("echo first; seq 100; echo last; exit 1");
        assert!(told.ends_with("last") && !told.contains("\nfirst\n"), "{told}");
        assert_eq!(reasons("echo first"), "");
    }

    #[test]
    fn a_step_that_never_ends_is_killed_with_its_children_and_has_failed() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 & echo '# pass 1'; wait"]);
        let outcome = run("endless", &mut command, Duration::from_millis(300)).expect("sh starts");
        assert!(!outcome.ok);
        assert_eq!(outcome.tally.passed, 1);
        assert!(outcome.took < Duration::from_secs(60), "the grandchild held the pipe");
    }
}
