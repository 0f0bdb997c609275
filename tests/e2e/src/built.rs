//! A built app under test: built, started alone, given releases.

use crate::child::{self, Program};
use crate::page::Page;
use crate::project::{self, Project};
use crate::stage::{Stage, binary, shell_under_test};
use anyhow::Context;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for a built app to show its page.
const START: Duration = Duration::from_secs(30);

/// A release server.
pub struct Server {
    /// Where it listens.
    pub url: String,
    _program: Program,
}

impl Server {
    /// Serves `repository`.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(stage: &Stage, repository: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(repository)?;
        let mut command = stage.command(&binary("staysail-server")?);
        command.arg("--repo").arg(repository).args(["--listen", "127.0.0.1:0"]);
        let mut program = Program::start("staysail-server", command)?;
        let url = program.wait_line("the server's address", 0, Duration::from_secs(10), |line| {
            line.strip_prefix("listening on ").map(|url| url.trim_end_matches('/').to_owned())
        })?;
        Ok(Self { url, _program: program })
    }
}

/// A project with keys, a repository and an executable.
pub struct Shipped {
    /// The project.
    pub project: Project,
    /// Folder of the repository.
    pub repository: PathBuf,
    /// The release server.
    pub server: Server,
    /// The executable, away from the project.
    pub executable: PathBuf,
}

impl Shipped {
    /// Makes keys, starts the server, builds the fixture with the server as its source of releases, and copies the
    /// executable away.
    ///
    /// # Errors
    /// When a step fails.
    pub fn build(stage: &Stage, project: Project) -> anyhow::Result<Self> {
        Self::build_in(stage, project, &shell_under_test()?)
    }

    /// The same with this shell.
    ///
    /// # Errors
    /// When a step fails.
    pub fn build_in(stage: &Stage, project: Project, shell: &Path) -> anyhow::Result<Self> {
        let repository = stage.folder.path().join("repository");
        let server = Server::start(stage, &repository)?;
        project::run_quick(stage, &project, &["keys", "init", "--unencrypted"])?;
        let settings = project.read("staysail.toml")?;
        let update = format!(
            "\n[update]\nurl = {:?}\nroot = \"keys/root.json\"\ncheck_interval_s = 3600\nshell = false\n",
            server.url
        );
        project.write("staysail.toml", &(settings + &update))?;
        let executable = build_in(stage, &project, true, shell)?;
        Ok(Self { project, repository, server, executable })
    }

    /// Publishes the project as it is, as this version.
    ///
    /// # Errors
    /// When it is refused or fails.
    pub fn publish(&self, stage: &Stage, version: &str) -> anyhow::Result<String> {
        self.publish_with(stage, version, &[])
    }

    /// The same with more arguments.
    ///
    /// # Errors
    /// When it is refused or fails.
    pub fn publish_with(&self, stage: &Stage, version: &str, more: &[&str]) -> anyhow::Result<String> {
        let to = self.repository.display().to_string();
        let arguments = [&["publish", "--to", &to, "--version", version], more].concat();
        project::run_quick(stage, &self.project, &arguments)
    }
}

impl Shipped {
    /// What the published release of this version consists of: paths and hashes of its files, in order.
    ///
    /// # Errors
    /// When the repository has no such release.
    pub fn content(&self, version: &str) -> anyhow::Result<Vec<String>> {
        let mut open = vec![self.repository.clone()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                } else if let Ok(manifest) = serde_json::from_slice::<Value>(&std::fs::read(&path)?)
                    && manifest["version"] == version
                    && manifest["backend"].is_object()
                {
                    let backend = manifest["backend"].as_object().into_iter().flat_map(|all| all.values());
                    let files = backend.chain([&manifest["page"]]).filter_map(Value::as_array).flatten();
                    return Ok(files.map(|file| format!("{} {}", file["path"], file["sha256"])).collect());
                }
            }
        }
        anyhow::bail!("no manifest of {version} in {}", self.repository.display())
    }
}

/// Builds a project and copies the executable into a folder that has nothing else.
///
/// # Errors
/// When the build fails.
pub fn build(stage: &Stage, project: &Project, quick: bool) -> anyhow::Result<PathBuf> {
    build_in(stage, project, quick, &shell_under_test()?)
}

fn build_in(stage: &Stage, project: &Project, quick: bool, shell: &Path) -> anyhow::Result<PathBuf> {
    if quick {
        project::run_quick_with(stage, project, &["build"], shell)?;
    } else {
        project::run(stage, project, &["build"])?;
    }
    let built = std::fs::read_dir(project.file("build"))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.is_file() && path.extension().is_none())
        .context("nothing in build/")?;
    let installed = stage.folder.path().join("installed");
    std::fs::create_dir_all(&installed)?;
    let executable = installed.join(built.file_name().unwrap_or_default());
    std::fs::copy(&built, &executable)?;
    Ok(executable)
}

/// A built app that runs.
pub struct Running {
    /// The program.
    pub program: Program,
    /// Port of the shell's inspector.
    pub port: u16,
}

impl Running {
    /// Starts it from a folder of its own.
    ///
    /// # Errors
    /// When it can not be started.
    pub fn start(stage: &Stage, executable: &Path) -> anyhow::Result<Self> {
        Self::start_with(stage, executable, &[], &[])
    }

    /// Starts it with arguments, and with more in its environment.
    ///
    /// # Errors
    /// When it can not be started.
    pub fn start_with(
        stage: &Stage,
        executable: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let port = crate::free_port()?;
        let mut command = stage.command(executable);
        command.envs(variables.iter().copied());
        command.env("WEBKIT_INSPECTOR_SERVER", format!("127.0.0.1:{port}")).args(arguments).current_dir("/");
        Ok(Self { program: Program::start("the built app", command)?, port })
    }

    /// Starts it and waits until its page is up.
    ///
    /// # Errors
    /// When that does not happen.
    pub fn live(stage: &Stage, executable: &Path) -> anyhow::Result<(Self, Page)> {
        let running = Self::start(stage, executable)?;
        let page = Page::attach(stage, running.port, START)?;
        Ok((running, page))
    }

    /// Ends it as a session manager does and waits.
    ///
    /// # Errors
    /// When it does not end in order.
    pub fn stop(self) -> anyhow::Result<()> {
        self.stop_by(libc::SIGTERM)
    }

    /// Asks it to end by this signal and waits.
    ///
    /// # Errors
    /// When it does not end in order.
    pub fn stop_by(mut self, signal: i32) -> anyhow::Result<()> {
        self.program.signal(signal);
        let status = self.program.wait(Duration::from_secs(10))?;
        anyhow::ensure!(
            status.code() == Some(128 + signal),
            "asked to end by signal {signal}, it ended with {status}"
        );
        Ok(())
    }
}

/// Runs a command that must fail, and returns what it said.
///
/// # Errors
/// When it succeeds.
pub fn refused(stage: &Stage, project: &Project, arguments: &[&str]) -> anyhow::Result<String> {
    let name = format!("staysail {}", arguments.join(" "));
    let (status, output) =
        child::run_to_end(&name, project.staysail(stage, arguments)?, project::COLD_BUILD)?;
    anyhow::ensure!(!status.success(), "{name} succeeded:\n{output}");
    Ok(output)
}
