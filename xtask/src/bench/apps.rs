//! The measured apps: copies of their sources that may be changed, and how each is started.

use crate::demo::copy_folder;
use crate::display::Display;
use crate::program::{Lines, Program, collector};
use anyhow::{Context, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A whole cold build of a peer on a slow machine.
pub const COLD_BUILD_LIMIT: Duration = Duration::from_secs(1_800);
/// One step of a measured app.
pub const STEP_LIMIT: Duration = Duration::from_secs(120);
/// Title of the window both open.
pub const TITLE: &str = "^Staysail Bench$";

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The app on Staysail.
    Ours,
    /// The same on Tauri 2.
    Tauri,
}

/// Everything that is measured.
pub struct Apps<'a> {
    /// The repository.
    pub root: &'a Path,
    /// Where the windows are.
    pub display: &'a Display,
    /// Whether the peer is measured, too.
    pub peers: bool,
    work: PathBuf,
}

/// A running app and what its page reports.
pub struct Running {
    /// The process that was started.
    pub program: Program,
    /// What its page reports.
    pub reports: Lines,
}

impl<'a> Apps<'a> {
    /// Builds our tools, optimised, and copies the sources of both apps.
    pub fn prepare(root: &'a Path, display: &'a Display, peers: bool) -> anyhow::Result<Self> {
        let apps = Self { root, display, peers, work: root.join("target/bench/work") };
        println!("=== building staysail, staysail-shell and staysail-server, optimised");
        let packages = ["-p", "staysail-cli", "-p", "staysail-shell", "-p", "staysail-server"];
        succeed(
            Command::new("cargo").args(["build", "--release", "--locked"]).args(packages).current_dir(root),
        )?;
        apps.copy_ours("app")?;
        if peers {
            apps.copy("benches/peers/tauri", "tauri", Some("src"))?;
            println!("=== installing the peer's packages");
            let mut npm = Command::new("npm");
            succeed(npm.args(["install", "--no-audit", "--no-fund"]).current_dir(apps.folder(Which::Tauri)))?;
        }
        Ok(apps)
    }

    /// Sources of one app, with the page that most share in a folder of theirs; what was built before is kept.
    pub fn copy(&self, from: &str, name: &str, page: Option<&str>) -> anyhow::Result<()> {
        let to = self.work.join(name);
        if to.exists() {
            std::fs::remove_dir_all(&to).with_context(|| format!("removing {}", to.display()))?;
        }
        copy_folder(&self.root.join(from), &to)?;
        page.map_or(Ok(()), |page| copy_folder(&self.root.join("benches/page"), &to.join(page)))
    }

    /// Sources of our app, in a folder of this name.
    pub fn copy_ours(&self, name: &str) -> anyhow::Result<()> {
        self.copy("benches/app", name, Some("frontend"))?;
        let runtime = self.root.join("crates/staysail").display().to_string();
        self.edit(&format!("{name}/Cargo.toml"), "../../crates/staysail", &runtime)
    }

    /// Folder of an app's copy.
    pub fn folder(&self, which: Which) -> PathBuf {
        self.work.join(if which == Which::Ours { "app" } else { "tauri" })
    }

    /// Folder for whatever else is needed.
    pub fn work(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    /// A folder for cargo's output of an app.
    pub fn target(&self, which: Which, name: &str) -> PathBuf {
        self.work.join(format!("{}-{name}", if which == Which::Ours { "app-target" } else { "tauri-target" }))
    }

    /// Exchanges a text in a file of the copies.
    ///
    /// # Errors
    /// When the text is not there.
    pub fn edit(&self, path: &str, old: &str, new: &str) -> anyhow::Result<()> {
        let path = self.work.join(path);
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        ensure!(text.contains(old), "{} does not hold {old:?}", path.display());
        let fresh = path.with_extension("saving");
        std::fs::write(&fresh, text.replace(old, new))?;
        std::fs::rename(&fresh, &path).with_context(|| format!("saving {}", path.display()))
    }

    /// The file with the backend's revision, and the one with the page's marker.
    pub fn edited(&self, which: Which) -> [&'static str; 2] {
        match which {
            Which::Ours => ["app/src/main.rs", "app/frontend/measure.js"],
            Which::Tauri => ["tauri/src-tauri/src/lib.rs", "tauri/src/measure.js"],
        }
    }

    /// One of our programs, optimised.
    pub fn tool(&self, name: &str) -> Command {
        Command::new(self.root.join("target/release").join(name))
    }

    /// A command in the surroundings of a measured app.
    pub fn around(&self, mut command: Command, folder: &Path) -> Command {
        command
            .current_dir(folder)
            .envs(self.display.variables())
            .env("XDG_DATA_HOME", self.work.join("data"))
            .env("CI", "true")
            .env("NO_COLOR", "1");
        command
    }

    /// The development tool of an app, in its copy.
    pub fn develop(&self, which: Which, target: &Path) -> Command {
        let folder = self.folder(which);
        match which {
            Which::Ours => {
                let mut command = self.around(self.tool("staysail"), &folder);
                command.args(["dev", "--json"]).env("STAYSAIL_TARGET_DIR", target);
                command
            }
            Which::Tauri => {
                let mut command = self.around(Command::new("npx"), &folder);
                command.args(["tauri", "dev"]).env("CARGO_TARGET_DIR", target);
                command
            }
        }
    }

    /// The optimised executable of an app, built when it is not there or its sources are newer.
    pub fn release(&self, which: Which) -> anyhow::Result<PathBuf> {
        let folder = self.folder(which);
        let target = self.target(which, "release");
        match which {
            Which::Ours => {
                let mut command = self.around(self.tool("staysail"), &folder);
                succeed(command.arg("build").env("STAYSAIL_TARGET_DIR", &target))?;
                Ok(folder.join("build/staysail-bench-app"))
            }
            Which::Tauri => {
                println!("=== building the peer, optimised (minutes when it is the first time)");
                let mut command = self.around(Command::new("npx"), &folder);
                succeed(command.args(["tauri", "build", "--no-bundle"]).env("CARGO_TARGET_DIR", &target))?;
                Ok(target.join("release/staysail-peer-tauri"))
            }
        }
    }

    /// Starts something that shows a page, with a task for the page.
    pub fn start(&self, name: &str, mut command: Command, task: &str) -> anyhow::Result<Running> {
        let (address, reports) = collector()?;
        command.env("BENCH_TASK", task).env("BENCH_COLLECTOR", address);
        Ok(Running { program: Program::start(name, &mut command)?, reports })
    }

    /// The apps to measure.
    pub fn all(&self) -> impl Iterator<Item = Which> {
        [Which::Ours, Which::Tauri].into_iter().take(if self.peers { 2 } else { 1 })
    }
}

impl Running {
    /// Waits for a report of that kind.
    ///
    /// # Errors
    /// When it does not come, or the page reports a failure.
    pub fn report(&mut self, kind: &str, limit: Duration) -> anyhow::Result<crate::program::Heard> {
        let heard = self
            .reports
            .until(kind, limit, |heard| (heard.is(kind) || heard.is("failed")).then(|| heard.clone()));
        match heard {
            Ok(heard) if heard.is(kind) => Ok(heard),
            Ok(failed) => bail!("the page failed: {}", failed.text),
            Err(error) => {
                let said = self.program.lines.until("anything more", Duration::ZERO, |_| None::<()>);
                Err(error.context(said.err().map_or_else(String::new, |said| said.to_string())))
            }
        }
    }
}

/// Runs a command that must succeed; what it says goes to the terminal.
pub fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("{:?} can not be started", command.get_program()))?;
    ensure!(status.success(), "{:?} failed, see above", command.get_program());
    Ok(())
}
