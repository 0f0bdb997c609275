//! `staysail test`: the backend's tests by cargo, then those of the app in its real window.
//!
//! # Theory of operation
//! Window tests are files of the user's, `tests/*.test.mjs`, run by Node.js with its own test runner. What they import as
//! `@staysail/api/test` is the driver of this command ([`DRIVER`]), so they need no package. For each app a test opens, the
//! driver starts `staysail dev --driven FOLDER`: only then does the shell let a WebDriver attach to its windows. Where
//! there is no display, the command starts one that nobody sees ([`display`]).

mod display;

use crate::cargo;
use crate::commands::ProjectArguments;
use crate::project::{Mode, Project};
use crate::style;
use anyhow::{Context, Result, bail};
use clap::Args;
use display::Display;
use staysail_supervise::Spawn;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

const DRIVER: &str = include_str!("../../driver/test.mjs");
const REGISTER: &str = include_str!("../../driver/register.mjs");
/// `module.register` came with 20.6.
const NODE_NEEDED: (u32, u32) = (20, 6);
/// What the names of files with window tests end with.
const ENDS: [&str; 3] = [".test.mjs", ".test.js", ".test.mts"];

/// Flags of `staysail test`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    project: ProjectArguments,
    /// Only the backend's tests, by cargo.
    #[arg(long, conflicts_with = "window")]
    backend: bool,
    /// Only the tests in the window.
    #[arg(long)]
    window: bool,
    /// Show the windows on this display; without it they are on one that nobody sees.
    #[arg(long)]
    headed: bool,
    /// Files with window tests [default: all in tests/].
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Runs both kinds of tests; a failure of the first does not hide the second.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    let project = arguments.project.load(Mode::Debug)?;
    let is_backend = !arguments.window && arguments.files.is_empty();
    let mut well = true;
    if is_backend {
        well &= backend(&project)?;
    }
    let is_asked_for = arguments.window || !arguments.files.is_empty();
    if !cfg!(target_os = "linux") && !arguments.backend && !is_asked_for {
        eprintln!("{} the window tests run on Linux only: see docs/guide/testing.md", style::warn("note:"));
    } else if !arguments.backend {
        let files = match arguments.files.as_slice() {
            [] => window_tests(&project.root.join("tests"))?,
            chosen => chosen.iter().map(|file| whole(file)).collect::<Result<_>>()?,
        };
        if !files.is_empty() {
            well &= window(&project, &files, arguments.headed)?;
        } else if arguments.window {
            bail!(
                "there are no window tests: {} holds no file whose name ends with .test.mjs.\n  docs/guide/testing.md shows one.",
                project.root.join("tests").display()
            );
        }
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn backend(project: &Project) -> Result<bool> {
    let mut command = Spawn::new(cargo::program())
        .args(["test", "--workspace"])
        .current_dir(&project.root)
        .env("CARGO_TARGET_DIR", project.target());
    // As `staysail dev` builds: what is compiled for one serves the other.
    for (name, value) in cargo::Profile::Develop.environment() {
        command = command.env(name, value);
    }
    let tree = command.guarded(true).spawn().context("cargo could not be started")?;
    Ok(tree.wait().context("cargo test")?.success())
}

fn window(project: &Project, files: &[PathBuf], headed: bool) -> Result<bool> {
    if !cfg!(target_os = "linux") {
        bail!(
            "windows can be driven on Linux only: WKWebView and WebView2 have no WebDriver that attaches to a running app.\n  The backend's tests run everywhere (staysail test --backend), and the page in Chromium (docs/guide/browser.md)."
        );
    }
    let node = node()?;
    if !on_path("WebKitWebDriver") {
        bail!(
            "WebKitWebDriver is not installed; it drives the window.\n  Debian and Ubuntu: apt install webkit2gtk-driver. Fedora: dnf install webkitgtk6.0. Arch: pacman -S webkitgtk-6.0."
        );
    }
    let display = if headed { None } else { Some(Display::start()?) };
    let folder = tempfile::tempdir().context("a folder for the driver")?;
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display())).map(|()| path)
    };
    write("test.mjs", DRIVER)?;
    let register = write("register.mjs", REGISTER)?;
    let pictures = project.target().join("test-pictures");
    let own = std::env::current_exe().context("this program can not find itself")?;
    let mut command = Spawn::new(node)
        .arg("--import")
        .arg(format!("file://{}", register.display()))
        // One window at a time: they would take the focus from each other.
        .args(["--test", "--test-concurrency=1", "--test-reporter=spec"])
        .args(files)
        .current_dir(&project.root)
        .env("STAYSAIL_TEST_COMMAND", own)
        .env("STAYSAIL_TEST_PROJECT", &project.root)
        .env("STAYSAIL_TEST_PICTURES", &pictures);
    if let Some(display) = &display {
        command = command
            .env("DISPLAY", display.name())
            .env_remove("WAYLAND_DISPLAY")
            .env("GDK_BACKEND", "x11")
            // There is no graphics card behind it.
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("WEBKIT_DISABLE_DMABUF_RENDERER", "1");
    }
    let tree = command.guarded(true).spawn().context("node could not be started")?;
    let well = tree.wait().context("the window tests")?.success();
    if !well && pictures.is_dir() {
        eprintln!("{} pictures of pages whose tests failed: {}", style::warn("note:"), pictures.display());
    }
    Ok(well)
}

/// The files with window tests in this folder, by name.
fn window_tests(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if ENDS.iter().any(|end| name.ends_with(end)) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn whole(file: &Path) -> Result<PathBuf> {
    file.canonicalize().with_context(|| format!("there is no file {}", file.display()))
}

fn node() -> Result<&'static str> {
    let (major, minor) = NODE_NEEDED;
    let advice = format!(
        "The window tests need Node.js {major}.{minor} or newer: https://nodejs.org. The backend's tests do not: staysail test --backend"
    );
    let Ok(output) = Command::new("node").arg("--version").stdin(Stdio::null()).output() else {
        bail!("node could not be started.\n  {advice}");
    };
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !is_enough(&version) {
        bail!("node is {version}.\n  {advice}");
    }
    Ok("node")
}

fn is_enough(version: &str) -> bool {
    let mut numbers =
        version.trim_start_matches('v').split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= NODE_NEEDED
}

fn on_path(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_window_tests_by_the_end_of_their_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.test.mjs", "a.test.js", "driver.mjs", "test.mjs", "notes.md"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("c.test.mjs")).unwrap();
        let found = window_tests(folder.path()).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a.test.js", "b.test.mjs"]);
        assert!(window_tests(&folder.path().join("gone")).unwrap().is_empty());
    }

    #[test]
    fn old_versions_of_node_are_told() {
        for (version, enough) in
            [("v20.6.0", true), ("v22.0.1", true), ("v20.5.9", false), ("v18.20.0", false), ("?", false)]
        {
            assert_eq!(is_enough(version), enough, "{version}");
        }
    }
}
