//! A save without cargo: the commands cargo gave rustc are run once more, when cargo would give the same.
//!
//! # Theory of operation
//! Cargo takes some 60 ms to find out that one crate changed, and rustc the rest. While `staysail dev` runs, its cargo
//! builds go through this executable ([`record`]), which writes down how rustc is called for each crate of the
//! workspace. A build that went well makes a [`plan::Plan`]: those commands, the files each crate was made of, and marks of
//! everything that decides about the commands ([`marks`]). At a save the plan says which crates changed, or that this
//! is for cargo. A process in cargo's place ([`run`]) then runs rustc for these crates and for those that use them, and
//! becomes cargo itself when anything is not as it was; nobody notices but the clock. Why the result is the same is said in
//! `docs/adr/0013-saves-without-cargo.md`.
//!
//! Nothing is believed for longer than a session, and each session has a folder of its own: what cargo finds as it
//! should be at the start is compiled by cargo once before it is replayed.
//!
//! **Invariant:** in doubt it is cargo. What was replayed is made anew by cargo when it runs next.

mod marks;
mod plan;
mod record;
mod run;

use crate::cargo::{Message, Profile};
use crate::project::Project;
use marks::Marks;
use plan::Plan;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// `0` leaves every save to cargo.
pub const SWITCH_VARIABLE: &str = "STAYSAIL_REPLAY";

/// To be called first in `main`, after the guardian's: returns at once, unless cargo or [`Replay`] started this process
/// for one of the two parts it plays here.
pub fn hidden_main() {
    record::main();
    run::main();
}

/// Turns this process into another; returns only when that fails.
fn become_command(command: &mut Command) -> std::io::Error {
    #[cfg(unix)]
    {
        std::os::unix::process::CommandExt::exec(command)
    }
    #[cfg(not(unix))]
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}

/// What is known of a session's builds.
pub struct Replay(Option<Arc<Session>>);

struct Session {
    /// Of this session alone; goes with it.
    folder: tempfile::TempDir,
    /// Held as long as the session lives: a folder whose lock is free is left over.
    _lock: File,
    wrapper: PathBuf,
    root: PathBuf,
    executable: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Number of the newest build.
    newest: u64,
    plan: Option<Arc<Plan>>,
    /// Settings under which the commands were written down.
    settings: Marks,
    /// Warnings of each crate, by its root file.
    warnings: Warnings,
    /// Commands are believed of one generation: until a setting changes, or a build of cargo's is cut off.
    generation: u64,
    /// A cargo is at work.
    cargo: bool,
}

type Warnings = BTreeMap<PathBuf, Vec<String>>;

impl Replay {
    /// Begins with nothing known. Where nothing can be replayed every build is cargo's.
    pub fn new(project: &Project, binary: &str) -> Self {
        let off = std::env::var_os(SWITCH_VARIABLE).is_some_and(|value| value == "0");
        // Elsewhere it is not proven yet: locks, links and running executables behave differently there.
        if off || !cfg!(target_os = "linux") {
            return Self(None);
        }
        Self(Session::new(project, binary).ok().map(Arc::new))
    }

    /// A build begins, because these files were saved.
    pub fn begin(&self, saved: &[PathBuf]) -> Option<Run> {
        self.0.as_ref().and_then(|session| Session::begin(session, saved))
    }
}

impl Session {
    fn new(project: &Project, binary: &str) -> std::io::Result<Self> {
        let all = project.target().join("replay");
        std::fs::create_dir_all(&all)?;
        remove_left_over(&all);
        let folder = tempfile::Builder::new().prefix("session-").tempdir_in(&all)?;
        let lock = File::create(folder.path().join("lock"))?;
        lock.lock()?;
        Ok(Self {
            folder,
            _lock: lock,
            wrapper: std::env::current_exe()?,
            root: project.root.clone(),
            executable: project.target().join(Profile::Develop.folder()).join(binary),
            state: Mutex::default(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(session: &Arc<Self>, saved: &[PathBuf]) -> Option<Run> {
        // Before anything is looked at: what is saved from now on is newer.
        let stamp = session.stamp().ok()?;
        let mut state = session.lock();
        state.newest += 1;
        let files = marks::settings(&session.root);
        if marks::environment_forbids() || marks::files_forbid(&files) || !session.wrapper.is_file() {
            state.plan = None;
            state.cargo = true;
            return None;
        }
        let settings = marks::marks(files);
        if state.cargo || marks::marks(state.settings.keys().cloned()) != state.settings {
            state.plan = None;
            state.generation += 1;
            state.settings = Marks::new();
        }
        state.settings.extend(settings.clone());
        let commands = session.folder.path().join(format!("commands-{}", state.generation));
        std::fs::create_dir_all(&commands).ok()?;
        let job = state.plan.as_ref().filter(|_| !saved.is_empty()).and_then(|plan| plan.job(saved));
        let job = job.and_then(|job| session.write(&job).ok());
        state.plan = state.plan.take().filter(|_| job.is_some());
        state.cargo = job.is_none();
        let (number, plan) = (state.newest, state.plan.clone());
        drop(state);
        Some(Run {
            session: session.clone(),
            number,
            stamp,
            settings,
            commands,
            plan,
            job,
            heard: Heard::default(),
        })
    }

    /// The time now, as the file system of the artifacts tells it.
    fn stamp(&self) -> std::io::Result<SystemTime> {
        let file = self.folder.path().join("stamp");
        std::fs::write(&file, "")?;
        std::fs::metadata(&file)?.modified()
    }

    fn write(&self, job: &plan::Job) -> std::io::Result<PathBuf> {
        let file = self.folder.path().join("job.json");
        std::fs::write(&file, serde_json::to_vec(job)?)?;
        Ok(file)
    }
}

/// Removes folders of sessions that did not end in order.
fn remove_left_over(all: &Path) {
    for entry in std::fs::read_dir(all).into_iter().flatten().flatten() {
        let left = File::open(entry.path().join("lock")).is_ok_and(|lock| lock.try_lock().is_ok());
        if left {
            // Tried again by the next session.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A build under way.
pub struct Run {
    session: Arc<Session>,
    number: u64,
    stamp: SystemTime,
    /// Settings at its start.
    settings: Marks,
    /// Where cargo's commands are written down.
    commands: PathBuf,
    plan: Option<Arc<Plan>>,
    job: Option<PathBuf>,
    heard: Heard,
}

/// What its lines told.
#[derive(Default)]
struct Heard {
    /// Root files of what was compiled without cargo.
    replayed: Option<Vec<PathBuf>>,
    handed_over: bool,
    build_script: bool,
    manifests: BTreeSet<PathBuf>,
    warnings: Warnings,
}

#[derive(Deserialize)]
struct Line {
    reason: String,
    manifest_path: Option<PathBuf>,
    roots: Option<Vec<PathBuf>>,
}

impl Run {
    /// The program to start in cargo's place, which is its first argument then.
    pub fn stand_in(&self) -> Option<&Path> {
        self.job.is_some().then_some(&*self.session.wrapper)
    }

    /// Variables to start it with, or cargo.
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        let mut variables = vec![
            (record::WRAPPER_VARIABLE, self.session.wrapper.clone().into()),
            (record::FOLDER_VARIABLE, self.commands.clone().into()),
            (record::BASELINE_VARIABLE, record::baseline(std::env::vars_os()).into()),
        ];
        variables.extend(self.job.as_ref().map(|job| (run::JOB_VARIABLE, job.clone().into())));
        variables
    }

    /// A line of the build's output. Tells whether it says that cargo was not needed.
    pub fn heard(&mut self, line: &str) -> bool {
        let counts = ["\"package_id\":\"path+", run::REPLAYED, run::HANDED_OVER];
        if !counts.iter().any(|part| line.contains(part)) {
            return false;
        }
        let Ok(line) = serde_json::from_str::<Line>(line) else { return false };
        match line.reason.as_str() {
            run::REPLAYED => self.heard.replayed = line.roots,
            run::HANDED_OVER => self.heard.handed_over = true,
            "build-script-executed" => self.heard.build_script = true,
            _ => self.heard.manifests.extend(line.manifest_path),
        }
        line.reason == run::REPLAYED
    }

    /// A warning of the crate with this root file.
    pub fn warned(&mut self, root: &Path, rendered: &str) {
        self.heard.warnings.entry(root.to_owned()).or_default().push(rendered.to_owned());
    }

    /// The build has ended. Returns warnings of what was not compiled, which cargo would have repeated.
    pub fn ended(self, success: bool) -> Vec<Message> {
        let session = self.session.clone();
        let mut state = session.lock();
        if state.newest != self.number {
            return Vec::new();
        }
        match (self.heard.replayed.clone(), success) {
            (Some(roots), true) => self.replayed(&mut state, &roots),
            // An error in the source, or cancelled: the plan is of the last good build, still.
            (Some(_), false) => Vec::new(),
            (None, false) if self.job.is_some() && !self.heard.handed_over => Vec::new(),
            (None, _) => {
                self.built(&mut state, success);
                Vec::new()
            }
        }
    }

    fn replayed(self, state: &mut State, roots: &[PathBuf]) -> Vec<Message> {
        state.plan = self.plan.and_then(|plan| plan.after_replay(self.stamp)).map(Arc::new);
        let kept: Warnings = std::mem::take(&mut state.warnings)
            .into_iter()
            .filter(|(root, _)| !roots.contains(root))
            .collect();
        let again = kept.iter().flat_map(|(root, all)| {
            let one = |rendered: &String| Message::Diagnostic {
                level: "warning".into(),
                rendered: rendered.clone(),
                root: root.clone(),
            };
            all.iter().map(one)
        });
        let again = again.collect();
        state.warnings = kept;
        state.warnings.extend(self.heard.warnings);
        again
    }

    /// Cargo built, or tried to.
    fn built(self, state: &mut State, success: bool) {
        state.plan = None;
        if success {
            state.warnings = self.heard.warnings;
        }
        let Ok(units) = record::read_all(&self.commands) else { return };
        let rustc = units.iter().map(|unit| marks::executable(&unit.record.rustc));
        let manifests = units
            .iter()
            .map(|unit| unit.package.join("Cargo.toml"))
            .chain(self.heard.manifests.iter().cloned());
        let workspaces = units
            .iter()
            .flat_map(|unit| ["Cargo.toml", "Cargo.lock"].map(|name| unit.record.folder.join(name)));
        let settings = marks::marks(
            marks::settings(&self.session.root).into_iter().chain(rustc).chain(workspaces).chain(manifests),
        );
        // Cargo writes the lock file itself when there is none.
        let same = |(path, mark): (&PathBuf, &Option<marks::Mark>)| {
            settings.get(path) == Some(mark) || (mark.is_none() && path.ends_with("Cargo.lock"))
        };
        let quiet = |path: &PathBuf| {
            !path.ends_with("Cargo.toml") || !path.exists() || marks::is_older(path, self.stamp)
        };
        let settled = self.settings.iter().all(same) && settings.keys().all(quiet);
        state.settings = settings;
        // Told apart from a build that was cut off: this one came to an end under settings that stayed.
        state.cargo = !settled;
        if settled && success && !self.heard.build_script {
            let packages = units.iter().map(|unit| unit.package_name.clone()).collect();
            let workspace = units.first().map(|unit| unit.record.folder.clone()).unwrap_or_default();
            let mut foreign =
                self.heard.manifests.iter().filter(|manifest| !manifest.starts_with(&workspace));
            if foreign.all(|manifest| names_none_of(manifest, &packages)) {
                state.plan = Plan::of(units, &self.session.executable, self.stamp).map(Arc::new);
            }
        }
    }
}

/// Whether this package of another workspace, whose commands are not known, uses none of those that are.
fn names_none_of(manifest: &Path, packages: &BTreeSet<String>) -> bool {
    let text = std::fs::read_to_string(manifest).unwrap_or_default();
    toml::from_str::<toml::Table>(&text)
        .is_ok_and(|table| !table.is_empty() && !uses_one_of(&table, packages))
}

fn uses_one_of(table: &toml::Table, packages: &BTreeSet<String>) -> bool {
    table.iter().any(|(key, value)| match value {
        toml::Value::Table(table) => packages.contains(key) || uses_one_of(table, packages),
        toml::Value::String(text) => packages.contains(key) || (key == "package" && packages.contains(text)),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Arc<Session> {
        let folder = tempfile::tempdir().unwrap();
        let lock = File::create(folder.path().join("lock")).unwrap();
        let root = folder.path().to_owned();
        let executable = root.join("debug/app");
        Arc::new(Session {
            folder,
            _lock: lock,
            wrapper: "/".into(),
            root,
            executable,
            state: Mutex::default(),
        })
    }

    fn run(session: &Arc<Session>) -> Run {
        let commands = session.folder.path().join("commands");
        std::fs::create_dir_all(&commands).unwrap();
        Run {
            session: session.clone(),
            number: 0,
            stamp: SystemTime::now(),
            settings: marks::marks(marks::settings(&session.root)),
            commands,
            plan: None,
            job: None,
            heard: Heard::default(),
        }
    }

    #[test]
    fn warnings_of_crates_that_were_not_compiled_are_said_again() {
        let session = session();
        let (core, app) = (Path::new("/p/core/src/lib.rs"), Path::new("/p/src/main.rs"));
        let mut by_cargo = run(&session);
        by_cargo.warned(core, "of core");
        by_cargo.warned(app, "of app");
        assert!(by_cargo.ended(true).is_empty(), "cargo says everything itself");
        let again = |warning: &str| {
            let mut replayed = run(&session);
            assert!(replayed.heard(&format!(
                r#"{{"reason":"{}","roots":["{}"]}}"#,
                run::REPLAYED,
                app.display()
            )));
            replayed.warned(app, warning);
            let said = replayed.ended(true).into_iter().map(|message| match message {
                Message::Diagnostic { rendered, .. } => rendered,
                other => panic!("{other:?}"),
            });
            said.collect::<Vec<_>>()
        };
        assert_eq!(again("of app, new"), ["of core"]);
        assert_eq!(again("of app, newer"), ["of core"], "and not what the crate said before");
    }

    #[test]
    fn a_package_of_another_workspace_that_uses_one_of_ours_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("Cargo.toml");
        let ours = BTreeSet::from(["core".to_owned()]);
        for (text, uses) in [
            ("[package]\nname = \"macros\"\n[dependencies]\nsyn = \"2\"", false),
            ("[dependencies]\ncore = { path = \"../core\" }", true),
            ("[target.'cfg(unix)'.dependencies]\nother = { package = \"core\", path = \"../core\" }", true),
            ("[dependencies.core]\npath = \"../core\"", true),
            ("not toml", true),
        ] {
            std::fs::write(&manifest, text).unwrap();
            assert_eq!(!names_none_of(&manifest, &ours), uses, "{text}");
        }
    }

    #[test]
    fn folders_of_sessions_that_are_gone_are_removed_and_those_of_others_stay() {
        let all = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            std::fs::create_dir(all.path().join(name)).unwrap();
            File::create(all.path().join(name).join("lock")).unwrap()
        };
        drop(make("gone"));
        let lives = make("lives");
        lives.lock().unwrap();
        remove_left_over(all.path());
        let left = ["gone", "lives"].map(|name| all.path().join(name).exists());
        assert_eq!(left, [false, true]);
    }
}
