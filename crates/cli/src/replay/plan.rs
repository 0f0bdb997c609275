//! What is known after a good build, and whether the next one can do without cargo.

use super::marks::{self, Mark, Marks};
use super::record::{Record, Unit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What the replaying process is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Job {
    /// Crates to compile, each after those it uses; the program is the last.
    pub records: Vec<Record>,
    /// Files that are used as they are.
    pub unchanged: Vec<(PathBuf, Option<Mark>)>,
    /// Where cargo puts the program.
    pub executable: PathBuf,
}

/// A good build: every artifact was made of its sources as they were at `stamp`.
#[derive(Debug, Clone)]
pub struct Plan {
    units: Vec<Unit>,
    /// Files of each unit.
    sources: Vec<Vec<PathBuf>>,
    /// Units the program is made of, each after those it uses; the program is the last.
    order: Vec<usize>,
    /// Files of the program that are of no unit.
    others: BTreeSet<PathBuf>,
    /// Files whose being there changes what a package is.
    presence: Vec<(PathBuf, bool)>,
    /// Artifacts, and what they are linked with.
    artifacts: Marks,
    executable: PathBuf,
    stamp: SystemTime,
}

impl Plan {
    /// Understands a good build that began at `stamp`; `None` when something about it is not understood.
    pub fn of(units: Vec<Unit>, executable: &Path, stamp: SystemTime) -> Option<Self> {
        let binary = executable.file_name()?.to_str()?;
        let folder = executable.parent()?.join("deps");
        let is_program = |unit: &&Unit| unit.kind == "bin" && unit.name == binary;
        let programs: Vec<_> = units.iter().filter(is_program).map(|unit| &unit.stem).collect();
        let [program] = programs.as_slice() else { return None };
        let program = units.iter().position(|unit| unit.stem == **program)?;
        let presence = units
            .iter()
            .flat_map(|unit| ["build.rs", "src/lib.rs", "src/main.rs"].map(|name| unit.package.join(name)));
        let presence: Vec<_> =
            presence.map(|path| (path.exists(), path)).map(|(is, path)| (path, is)).collect();
        if presence.iter().any(|(path, is_there)| *is_there && path.ends_with("build.rs")) {
            return None;
        }
        let mut plan = Self {
            order: Vec::new(),
            sources: Vec::new(),
            others: BTreeSet::new(),
            presence,
            artifacts: Marks::new(),
            executable: executable.to_owned(),
            stamp,
            units,
        };
        plan.visit(program);
        let at_home = |at: &usize| plan.units[*at].folder == folder;
        if !plan.order.iter().all(at_home) {
            return None;
        }
        plan.look(stamp).then_some(plan)
    }

    /// Puts a unit into the order, behind those it uses.
    fn visit(&mut self, at: usize) {
        if self.order.contains(&at) {
            return;
        }
        for used in self.uses(at) {
            self.visit(used);
        }
        self.order.push(at);
    }

    fn uses(&self, at: usize) -> Vec<usize> {
        let made = |path: &PathBuf| {
            let stem = path.file_stem()?.to_str()?;
            let stem = stem.strip_prefix("lib").unwrap_or(stem);
            let folder = path.parent()?;
            self.units.iter().position(|unit| unit.stem == stem && unit.folder == folder)
        };
        self.units[at].externs.iter().filter_map(made).collect()
    }

    /// Learns what there is after a good build that began at this moment.
    fn look(&mut self, stamp: SystemTime) -> bool {
        self.stamp = stamp;
        self.sources = self.units.iter().map(Unit::sources).collect();
        let of_units: BTreeSet<&PathBuf> = self.order.iter().flat_map(|at| &self.sources[*at]).collect();
        let all = crate::cargo::sources(&self.executable);
        let known = !all.is_empty();
        self.others = all.into_iter().filter(|file| !of_units.contains(file)).collect();
        let files = self.order.iter().flat_map(|at| {
            let unit = &self.units[*at];
            unit.outputs().into_iter().chain(unit.externs.iter().cloned())
        });
        self.artifacts = marks::marks(files);
        // Without these files nothing is known of what the program was made of.
        known && self.order.iter().all(|at| !self.sources[*at].is_empty())
    }

    /// The plan after it was replayed well.
    pub fn after_replay(&self, stamp: SystemTime) -> Option<Self> {
        let mut plan = self.clone();
        plan.look(stamp).then_some(plan)
    }

    /// What to do after these files were saved; `None` when that is for cargo to find out.
    pub fn job(&self, saved: &[PathBuf]) -> Option<Job> {
        let known = |file: &PathBuf| {
            let of_unit = self.order.iter().any(|at| self.sources[*at].contains(file));
            of_unit || (file.extension().is_some_and(|end| end == "rs") && !file.ends_with("build.rs"))
        };
        let as_before = |(path, is_there): &(PathBuf, bool)| path.exists() == *is_there;
        if !saved.iter().all(known)
            || !self.presence.iter().all(as_before)
            || !self.others.iter().all(|file| marks::is_older(file, self.stamp))
        {
            return None;
        }
        let changed = self.changed();
        // Put there with a time from before the build (`rsync -a`, `mv`): cargo goes by when each crate was compiled, and
        // may see what is not seen here.
        let seen = |file: &PathBuf| {
            !self.others.contains(file)
                && (0..self.units.len()).all(|at| changed.contains(&at) || !self.sources[at].contains(file))
        };
        if !saved.iter().all(seen) {
            return None;
        }
        // A macro, or what a macro is made of: not of the program, and yet it decides what the program is.
        let plain = |at: &usize| self.order.contains(at) && self.units[*at].is_playable();
        if changed.is_empty() || !changed.iter().all(plain) {
            return None;
        }
        let made: BTreeSet<PathBuf> = changed.iter().flat_map(|at| self.units[*at].outputs()).collect();
        let unchanged = self.artifacts.iter().filter(|(path, _)| !made.contains(*path));
        Some(Job {
            records: self
                .order
                .iter()
                .filter(|at| changed.contains(at))
                .map(|at| self.units[*at].record.clone())
                .collect(),
            unchanged: unchanged.map(|(path, mark)| (path.clone(), *mark)).collect(),
            executable: self.executable.clone(),
        })
    }

    /// Units with a file that is newer than the build, and all that use them.
    fn changed(&self) -> BTreeSet<usize> {
        let mut changed: BTreeSet<usize> = (0..self.units.len())
            .filter(|at| self.sources[*at].iter().any(|file| !marks::is_older(file, self.stamp)))
            .collect();
        loop {
            let more = (0..self.units.len()).filter(|at| {
                !changed.contains(at) && self.uses(*at).iter().any(|used| changed.contains(used))
            });
            let more: Vec<usize> = more.collect();
            if more.is_empty() {
                return changed;
            }
            changed.extend(more);
        }
    }
}
