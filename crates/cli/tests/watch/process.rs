//! The command as a child that always ends, and its lines.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Only a failing test waits for this.
pub const BOUND: Duration = Duration::from_secs(60);
/// Created and removed to learn that everything before was seen.
const SENTINEL: &str = "sentinel";

/// Waits until this is so.
pub fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + BOUND;
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::yield_now();
    }
}

/// A program that ends with the test, whatever becomes of it.
pub struct Ends(pub Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `staysail watch --json`, running in a folder of its own. Ends with the test.
pub struct Watched {
    child: Ends,
    lines: Receiver<Value>,
    /// Gone with the test.
    _folder: tempfile::TempDir,
    root: PathBuf,
}

impl Watched {
    /// Watches a new folder with these flags.
    /// `fill` makes what is there before.
    pub fn start(fill: impl FnOnce(&Path), flags: &[&str]) -> Self {
        Self::with(fill, |command| {
            command.args(flags);
        })
    }

    pub fn with(fill: impl FnOnce(&Path), change: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fill(&root);
        let mut command = Command::new(env!("CARGO_BIN_EXE_staysail"));
        command.current_dir(&root).env("NO_COLOR", "1").args(["watch", "--json"]);
        change(&mut command);
        let mut child = Ends(command.stdout(Stdio::piped()).spawn().unwrap());
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.0.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no line of JSON: {line}"));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, _folder: folder, root }
    }

    /// The watched folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn id(&self) -> i32 {
        i32::try_from(self.child.0.id()).unwrap()
    }

    /// Lines up to the first this is true of; that one is the last.
    pub fn until(&self, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let (end, mut lines) = (Instant::now() + BOUND, Vec::new());
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(line),
                Err(error) => panic!("{error} after {lines:#?}"),
            }
            if lines.last().is_some_and(&is_last) {
                return lines;
            }
        }
    }

    /// Waits until everything is known; gives the lines up to `ready`.
    pub fn ready(&self) -> Vec<Value> {
        self.until(|line| line["event"] == "ready")
    }

    /// Everything that was told of what happened until now: a file that comes and goes tells when that is. Its end is
    /// told a while after it went, and so later than the end of anything that went before.
    pub fn settle(&self) -> Vec<Value> {
        let sentinel = self.root.join(SENTINEL);
        let text = sentinel.to_str().unwrap().to_owned();
        let about = |line: &Value, event: &str| line["event"] == event && line["path"] == text.as_str();
        std::fs::write(&sentinel, "").unwrap();
        let mut lines = self.until(|line| about(line, "add"));
        std::fs::remove_file(&sentinel).unwrap();
        lines.extend(self.until(|line| about(line, "unlink")));
        // The rest of its batch.
        lines.extend(self.until(|line| line["event"] == "batch"));
        lines.retain(|line| line["path"] != text.as_str());
        lines
    }

    /// The events told until now, as `add a`, `rename a -> b`, with paths below the folder.
    pub fn events(&self) -> Vec<String> {
        self.settle().iter().filter_map(|line| self.words(line)).collect()
    }

    /// One event in words; `None` of other lines.
    pub fn words(&self, line: &Value) -> Option<String> {
        let event = line["event"].as_str()?;
        line.get("batch").filter(|_| event != "batch")?;
        let short = |name: &str| {
            let path = Path::new(line[name].as_str().unwrap_or_default());
            path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
        };
        Some(match line.get("from") {
            Some(_) => format!("{event} {} -> {}", short("from"), short("path")),
            None => format!("{event} {}", short("path")),
        })
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: the child is ours and not yet reaped.
        unsafe { libc::kill(self.id(), signal) };
    }

    /// Waits for the end; gives the remaining lines and whether it ended well.
    pub fn end(mut self) -> (Vec<Value>, bool) {
        let (end, mut lines) = (Instant::now() + BOUND, Vec::new());
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
        (lines, self.child.0.wait().unwrap().success())
    }
}
