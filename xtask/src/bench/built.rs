//! Of the optimised executables: how they are started, both by turns, and their size.

use super::Row;
use super::apps::{Apps, Running, Which};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A value of ours and one of the peer.
pub type Both<T> = [T; 2];

/// The executables that are measured, ours first.
pub struct Built<'a> {
    apps: &'a Apps<'a>,
    all: Vec<(Which, PathBuf)>,
}

impl<'a> Built<'a> {
    /// Builds what is not built yet.
    pub fn new(apps: &'a Apps<'a>) -> anyhow::Result<Self> {
        let all = apps.all().map(|which| Ok((which, apps.release(which)?))).collect::<anyhow::Result<_>>()?;
        Ok(Self { apps, all })
    }

    /// Does something with both, by turns, so that a machine that slows down meanwhile slows both. What it yields is
    /// collected.
    pub fn by_turns<T>(
        &self,
        turns: usize,
        mut measure: impl FnMut(usize, Which, &Path) -> anyhow::Result<T>,
    ) -> anyhow::Result<Both<Vec<T>>> {
        let mut found: Both<Vec<T>> = Default::default();
        for turn in 0..turns {
            for (which, executable) in &self.all {
                found[usize::from(*which == Which::Tauri)].push(measure(turn, *which, executable)?);
            }
        }
        Ok(found)
    }

    /// Starts one with a task for its page.
    pub fn start(&self, executable: &Path, task: &str, more: &[(&str, String)]) -> anyhow::Result<Running> {
        // Not from the project's folder: it has to run alone.
        let mut command = self.apps.around(Command::new(executable), &self.apps.work("."));
        command.envs(more.iter().map(|(name, value)| (*name, value)));
        self.apps.start("the app", command, task)
    }
}

/// `binary.mb`: the one executable that is shipped.
pub fn binary(apps: &Apps) -> anyhow::Result<Vec<Row>> {
    let [ours, peer] = Built::new(apps)?
        .by_turns(1, |_, _, executable| Ok(std::fs::metadata(executable)?.len() as f64 / 1e6))?;
    Ok(vec![Row::new("binary.mb", "MB", ours, peer).at_most(None, Some(1.0))])
}
