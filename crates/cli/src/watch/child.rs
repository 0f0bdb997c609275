//! The command `staysail watch --exec` runs.
//!
//! One program runs at a time. A change while it runs is remembered, not queued: however many there are, it runs once
//! more. With `--restart` it is ended with everything it started, and started again.

use super::Incoming;
use super::output::Output;
use crate::dev::server::shell_command;
use anyhow::Result;
use staysail_protocol::limits;
use staysail_supervise::Tree;
use staysail_watch::Batch;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// The paths that changed since the run before, one a line, as far as they fit.
const PATHS: &str = "STAYSAIL_WATCH_PATHS";

pub struct Child {
    command: String,
    restart: bool,
    /// Standard output belongs to the lines for programs.
    apart: bool,
    runs: u64,
    running: Option<Arc<Tree>>,
    /// What changed since the last start.
    paths: BTreeSet<PathBuf>,
}

impl Child {
    pub fn new(command: String, restart: bool, apart: bool) -> Self {
        Self { command, restart, apart, runs: 0, running: None, paths: BTreeSet::new() }
    }

    /// Files have changed.
    pub fn changed(&mut self, batch: &Batch, output: &mut Output, sender: &Sender<Incoming>) -> Result<()> {
        self.paths.extend(batch.events.iter().map(|event| event.path().to_path_buf()));
        if self.restart {
            self.end();
        }
        if self.running.is_none() {
            self.start(output, sender)?;
        }
        Ok(())
    }

    /// The program of a run has ended; `false` when nobody reads any longer.
    pub fn ended(
        &mut self,
        run: u64,
        code: Option<i32>,
        output: &mut Output,
        sender: &Sender<Incoming>,
    ) -> Result<bool> {
        let told = output.exit(run, code);
        // One that was ended for the next is told, and nothing more.
        if run == self.runs {
            self.running = None;
            if !self.paths.is_empty() {
                self.start(output, sender)?;
            }
        }
        Ok(told)
    }

    /// Ends what runs, with everything it started.
    pub fn end(&mut self) {
        if let Some(tree) = self.running.take() {
            let _ = tree.terminate(Duration::from_millis(limits::WATCH_EXEC_END_MS));
            tree.kill();
        }
    }

    fn start(&mut self, output: &mut Output, sender: &Sender<Incoming>) -> Result<()> {
        self.runs += 1;
        let run = self.runs;
        output.run(run, &self.command);
        let mut spawn =
            shell_command(&self.command).env(PATHS, lines(&std::mem::take(&mut self.paths))).guarded(true);
        if self.apart {
            spawn = spawn.stdout(std::io::stderr());
        }
        let tree = Arc::new(spawn.spawn()?);
        let (waited, sender) = (tree.clone(), sender.clone());
        std::thread::spawn(move || {
            let code = waited.wait().ok().and_then(|status| status.code());
            drop(sender.send(Incoming::Ended(run, code)));
        });
        self.running = Some(tree);
        Ok(())
    }
}

/// Whole lines, as many as fit.
fn lines(paths: &BTreeSet<PathBuf>) -> OsString {
    let mut text = OsString::new();
    for path in paths {
        if text.len() + path.as_os_str().len() + 1 > limits::WATCH_EXEC_PATHS_BYTES_MAX {
            break;
        }
        if !text.is_empty() {
            text.push("\n");
        }
        text.push(path);
    }
    text
}
