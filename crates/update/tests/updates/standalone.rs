//! The engine in a program that has nothing else of Staysail: the example `standalone`, as real processes.

use super::fixture::PATIENCE;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

/// Cargo puts it beside the tests; `--test` alone does not build it.
fn example() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(Path::parent).unwrap().join("examples/standalone");
    let advice = "cargo build -p staysail-update --example standalone";
    assert!(path.exists(), "{} is missing: {advice}", path.display());
    path
}

fn succeed(arguments: &[&str]) {
    let output = Command::new(example()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The program, running; ended when dropped.
struct Program {
    process: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Program {
    fn start(program: &Path) -> Self {
        let mut process = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (said, lines) = channel();
        let output = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
        Self { input: process.stdin.take(), process, lines }
    }

    fn look(&mut self) {
        self.input.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    #[track_caller]
    fn says(&self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.lines.recv_timeout(PATIENCE).as_deref(), Ok(*line));
        }
    }

    fn end(mut self) {
        self.input = None;
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_program_of_its_own_kind_exchanges_its_files_while_it_runs_and_takes_bad_ones_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (name, text) in [("one", "hello\n"), ("two", "hello again\n"), ("bad", "\n"), ("none", "")] {
        std::fs::create_dir(path(name)).unwrap();
        let file = if name == "none" { "other.txt" } else { "greeting.txt" };
        std::fs::write(folder.path().join(name).join(file), text).unwrap();
    }
    let (keys, repository, program) = (path("keys"), path("repository"), path("program"));
    let publish = |version, files| succeed(&["publish", version, &path(files), &keys, &repository]);
    succeed(&["keys", &keys]);
    succeed(&["ship", &path("one"), &keys, &format!("file://{repository}"), &program]);
    publish("1.1.0", "two");

    let mut running = Program::start(Path::new(&program));
    running.says(&["shown: hello"]);
    running.look();
    running.says(&["shown: hello again", "committed: 1.1.0"]);
    // One that fails the program's own check, and one that can not even be shown.
    publish("1.2.0", "bad");
    running.look();
    running.says(&["shown: ", "shown: hello again", "rolled back: 1.2.0: the greeting is empty"]);
    publish("1.3.0", "none");
    running.look();
    running.says(&["rolled back: 1.3.0: the release has no greeting.txt"]);
    running.end();

    let running = Program::start(Path::new(&program));
    running.says(&["shown: hello again"]);
    running.end();
}
