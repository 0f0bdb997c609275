//! Projects under test: the fixture, copied into the test's folder, or whatever `staysail init` makes.

use crate::child;
use crate::stage::{Stage, binary, cargo_target, repository, shell_under_test};
use anyhow::Context;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Longest wait for a build that compiles the dependencies, too.
pub const COLD_BUILD: Duration = Duration::from_secs(400);

/// A project's folder.
#[derive(Debug, Clone)]
pub struct Project {
    /// The folder.
    pub root: PathBuf,
}

/// What an app left behind in an earlier test lies beside what cargo builds, which all tests share: its data, what its
/// webview kept, and its description, from which the next start would open its windows.
fn forget(name: &str) -> anyhow::Result<()> {
    let kept = cargo_target().join(format!("apps/dev.staysail.{name}"));
    match std::fs::remove_dir_all(&kept) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", kept.display()))
        }
        _ => Ok(()),
    }
}

impl Project {
    /// The fixture app in the folder of this test.
    ///
    /// # Errors
    /// When files can not be copied.
    pub fn fixture(stage: &Stage) -> anyhow::Result<Self> {
        Self::named(stage, "counter")
    }

    /// The fixture of that name in the folder of this test.
    ///
    /// # Errors
    /// When files can not be copied.
    pub fn named(stage: &Stage, name: &str) -> anyhow::Result<Self> {
        let root = stage.folder.path().join(name);
        forget(name)?;
        let staysail = repository().join("crates/staysail").display().to_string();
        copy(&repository().join("tests/e2e/fixtures").join(name), &root, &staysail)?;
        // The versions of the workspace: everything is in cargo's cache already, and a test never resolves anew.
        std::fs::copy(repository().join("Cargo.lock"), root.join("Cargo.lock"))?;
        Ok(Self { root })
    }

    /// `examples/kitchen-sink` in the folder of this test.
    ///
    /// # Errors
    /// When files can not be copied.
    pub fn kitchen_sink(stage: &Stage) -> anyhow::Result<Self> {
        let project = Self::example(stage, "kitchen-sink", "kitchen-sink", &["app", "keep", "talk"])?;
        std::fs::copy(repository().join("Cargo.lock"), project.file("Cargo.lock"))?;
        Ok(project)
    }

    /// `examples/exclusive` in the folder of this test, with the versions of its own lock file: it uses SQLite.
    ///
    /// # Errors
    /// When files can not be copied.
    pub fn guest_book(stage: &Stage) -> anyhow::Result<Self> {
        Self::example(stage, "exclusive", "guest-book", &["app", "hold"])
    }

    /// An example of the repository: its folder, its name in its identifier, and its packages.
    fn example(stage: &Stage, folder: &str, name: &str, packages: &[&str]) -> anyhow::Result<Self> {
        let root = stage.folder.path().join(folder);
        forget(name)?;
        copy(&repository().join("examples").join(folder), &root, "")?;
        let project = Self { root };
        // The copy lies elsewhere: its way to the crate is written out.
        let staysail = repository().join("crates/staysail").display().to_string();
        for package in packages {
            let manifest = format!("backend/{package}/Cargo.toml");
            project.edit(&manifest, "../../../../crates/staysail", &staysail)?;
        }
        Ok(project)
    }

    /// Path of one of its files.
    pub fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// When it can not be read.
    pub fn read(&self, path: &str) -> anyhow::Result<String> {
        std::fs::read_to_string(self.file(path)).with_context(|| format!("reading {path}"))
    }

    /// Writes a file as an editor does: whole, over the old one.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn write(&self, path: &str, text: &str) -> anyhow::Result<()> {
        std::fs::write(self.file(path), text).with_context(|| format!("writing {path}"))
    }

    /// Writes a file in one step, as editors do that put a new one in the place of the old one.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn replace(&self, path: &str, text: &str) -> anyhow::Result<()> {
        let beside = self.file(&format!("{path}.new~"));
        std::fs::write(&beside, text)
            .and_then(|()| std::fs::rename(&beside, self.file(path)))
            .with_context(|| format!("writing {path}"))
    }

    /// Replaces a part of a file. It must be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn edit(&self, path: &str, old: &str, new: &str) -> anyhow::Result<()> {
        let text = self.read(path)?;
        anyhow::ensure!(text.contains(old), "{path} does not contain {old:?}");
        self.write(path, &text.replacen(old, new, 1))
    }

    /// Adds a capability to the project file.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn allow(&self, capability: &str) -> anyhow::Result<()> {
        let text = self.read("staysail.toml")?;
        self.write("staysail.toml", &format!("{text}\n[[capabilities]]\n{capability}\n"))
    }

    /// Makes the backend a new version: the answer, and what happens at its start and in its health check.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn backend(&self, backend: &Backend) -> anyhow::Result<()> {
        self.write(
            "backend/core/src/lib.rs",
            &format!(
                "//! Written by a test.\n\npub const ANSWER: &str = {:?};\n\npub fn at_start() {{ {} }}\n\n\
                 pub fn health() -> Result<(), String> {{ {} }}\n",
                backend.answer, backend.at_start, backend.health
            ),
        )
    }

    /// A `staysail` command in this project.
    ///
    /// # Errors
    /// When the program is missing.
    pub fn staysail(&self, stage: &Stage, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = staysail(stage, arguments)?;
        command.current_dir(&self.root);
        Ok(command)
    }
}

/// A `staysail` command. The shell it uses is the development one: only that lets itself be driven.
///
/// # Errors
/// When the program is missing.
pub fn staysail(stage: &Stage, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = stage.command(&binary("staysail")?);
    command.args(arguments).env("STAYSAIL_SHELL", shell_under_test()?).current_dir(stage.folder.path());
    Ok(command)
}

/// Runs a `staysail` command to its end.
///
/// # Errors
/// When it fails.
pub fn run(stage: &Stage, project: &Project, arguments: &[&str]) -> anyhow::Result<String> {
    child::run(&format!("staysail {}", arguments.join(" ")), project.staysail(stage, arguments)?, COLD_BUILD)
}

/// As [`run`], with release builds made quick: see `fixtures/quick-rustc`. Their target folder is their own.
///
/// # Errors
/// When it fails.
pub fn run_quick(stage: &Stage, project: &Project, arguments: &[&str]) -> anyhow::Result<String> {
    run_quick_with(stage, project, arguments, &shell_under_test()?)
}

/// As [`run_quick`], with this shell instead of the development one.
///
/// # Errors
/// When it fails.
pub fn run_quick_with(
    stage: &Stage,
    project: &Project,
    arguments: &[&str],
    shell: &Path,
) -> anyhow::Result<String> {
    let mut command = project.staysail(stage, arguments)?;
    command
        .env("STAYSAIL_SHELL", shell)
        .env("RUSTC_WRAPPER", repository().join("tests/e2e/fixtures/quick-rustc"))
        .env("STAYSAIL_TARGET_DIR", cargo_target().with_file_name("cargo-quick"));
    child::run(&format!("staysail {}", arguments.join(" ")), command, COLD_BUILD)
}

/// A version of the fixture's backend.
pub struct Backend {
    /// What every answer carries.
    pub answer: String,
    /// Rust statements run first.
    pub at_start: &'static str,
    /// Rust expression of the health check.
    pub health: &'static str,
}

impl Backend {
    /// One that works.
    pub fn good(answer: impl Into<String>) -> Self {
        Self { answer: answer.into(), at_start: "", health: "Ok(())" }
    }
}

fn copy(from: &Path, to: &Path, staysail: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == "target" {
            continue; // of somebody who runs the example where it lies
        }
        if path.is_dir() {
            copy(&path, &to.join(name), staysail)?;
        } else if let Some(name) = name.strip_suffix(".template") {
            // Cargo would take them for packages of the repository under their own names.
            let text = std::fs::read_to_string(&path)?.replace("{{staysail}}", staysail);
            std::fs::write(to.join(name), text)?;
        } else {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
