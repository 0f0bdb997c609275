//! What is said of a save: where its time went and what would shorten it, and plain lines where there is no terminal.

use super::{BOUND, Dev};
use crate::support::{backend, project, staysail};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

fn names(explained: &Value) -> Vec<&str> {
    explained["parts"].as_array().unwrap().iter().map(|part| part["name"].as_str().unwrap()).collect()
}

fn advice(explained: &Value) -> String {
    explained["advice"].to_string()
}

#[test]
fn a_save_is_explained_part_by_part_and_a_build_script_that_runs_each_time_is_named() {
    let script = "fn main() {}\n";
    let dev = Dev::with(|folder| std::fs::write(folder.join("build.rs"), script).unwrap(), &["--explain"]);
    let (first, _) = dev.until("swap_explained");
    assert!(!advice(&first).contains("build script"), "at the start it has to run: {first}");
    dev.write("src/main.rs", &backend("second"));
    let (second, _) = dev.until("swap_explained");
    let (begins, ends) =
        (["save noticed", "cargo itself", "tiny"], ["copy to its own path", "start", "state", "switch"]);
    assert!(names(&second).starts_with(&begins) && names(&second).ends_with(&ends), "{second}");
    assert!(advice(&second).contains("The build script of `tiny` ran for this save"), "{second}");

    let script = "fn main() { println!(\"cargo::rerun-if-changed=build.rs\") }\n";
    dev.write("build.rs", script);
    let (third, _) = dev.until("swap_explained");
    assert!(!advice(&third).contains("build script"), "it was changed: {third}");
    dev.write("src/main.rs", &backend("fourth"));
    let (fourth, _) = dev.until("swap_explained");
    assert!(!advice(&fourth).contains("build script"), "it did not run: {fourth}");
}

/// Ends with the test.
struct Ends(Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lines up to the first that holds this.
fn until(lines: &Receiver<String>, part: &str) -> Vec<String> {
    let (end, mut seen) = (Instant::now() + BOUND, Vec::<String>::new());
    while !seen.last().is_some_and(|line| line.contains(part)) {
        let left = end.saturating_duration_since(Instant::now());
        seen.push(lines.recv_timeout(left).unwrap_or_else(|_| panic!("no {part} in {seen:#?}")));
    }
    seen
}

#[test]
fn without_a_terminal_everything_is_plain_lines() {
    let folder = tempfile::tempdir().unwrap();
    project(folder.path());
    let mut command: Command = staysail(folder.path());
    // Whoever reads a pipe gets no colours without having asked for it.
    command.arg("dev").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env_remove("FORCE_COLOR");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Ends(command.spawn().unwrap());
    let (sender, lines) = channel();
    let streams: [Box<dyn std::io::Read + Send>; 2] =
        [Box::new(child.0.stdout.take().unwrap()), Box::new(child.0.stderr.take().unwrap())];
    for stream in streams {
        let sender = sender.clone();
        std::thread::spawn(move || {
            BufReader::new(stream).lines().map_while(Result::ok).for_each(|line| drop(sender.send(line)));
        });
    }
    let mut seen = until(&lines, "backend live in");
    std::fs::write(folder.path().join("src/main.rs"), "fn main() { let x: u32 = \"no\"; }").unwrap();
    seen.extend(until(&lines, "build failed"));
    seen.extend(until(&lines, "src/main.rs:1:26"));
    std::fs::write(folder.path().join("frontend/style.css"), "body { color: blue }").unwrap();
    seen.extend(until(&lines, "exchanged in place /style.css"));
    drop(child);
    assert!(seen.iter().all(|line| !line.contains(['\x1b', '\r'])), "{seen:#?}");
    assert!(seen.iter().all(|line| !line.contains("h help")), "there is nobody to press keys: {seen:#?}");
}
