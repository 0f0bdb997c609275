//! `staysail dev --json` under test: started, listened to, and its window driven.

use crate::child::Program;
use crate::page::Page;
use crate::project::{COLD_BUILD, Project};
use crate::stage::Stage;
use serde_json::Value;
use std::time::Duration;

/// Longest wait for an edit to be live.
pub const EDIT: Duration = Duration::from_secs(60);

/// A running development tool.
pub struct Dev {
    /// The program.
    pub program: Program,
    /// Port of the shell's inspector.
    pub port: u16,
}

impl Dev {
    /// Starts it.
    ///
    /// # Errors
    /// When it can not be started.
    pub fn start(stage: &Stage, project: &Project) -> anyhow::Result<Self> {
        Self::start_with(stage, project, &[])
    }

    /// Starts it with more in its environment, which its shell inherits.
    ///
    /// # Errors
    /// When it can not be started.
    pub fn start_with(stage: &Stage, project: &Project, variables: &[(&str, &str)]) -> anyhow::Result<Self> {
        let port = crate::free_port()?;
        let mut command = project.staysail(stage, &["dev", "--json"])?;
        command.envs(variables.iter().copied());
        command.env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{port}"));
        Ok(Self { program: Program::start("staysail dev", command)?, port })
    }

    /// Starts it and waits until its backend is live and its page is up.
    ///
    /// # Errors
    /// When that does not happen.
    pub fn live(stage: &Stage, project: &Project) -> anyhow::Result<(Self, Page)> {
        let mut dev = Self::start(stage, project)?;
        dev.wait("swap_done", 0, COLD_BUILD)?;
        let page = Page::attach(stage, dev.port, EDIT)?;
        Ok((dev, page))
    }

    /// How much it has said so far; waits begin from here.
    pub fn position(&self) -> usize {
        self.program.lines().len()
    }

    /// Waits for the first line of this kind after `from`.
    ///
    /// # Errors
    /// When it does not come.
    pub fn wait(&mut self, kind: &str, from: usize, patience: Duration) -> anyhow::Result<Value> {
        self.program.wait_line(&format!("`{kind}` of staysail dev"), from, patience, |line| {
            serde_json::from_str::<Value>(line).ok().filter(|value| value["kind"] == kind)
        })
    }
}
