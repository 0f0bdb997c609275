//! Where a test plays: its lock, its display, its folder, its mark, and the binaries under test.

use crate::child;
use crate::display::{self, Display};
use crate::processes::{self, MARK, Process};
use anyhow::Context;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// The lane this process's tests run in, from its first test to its end.
static LANE: OnceLock<Lane> = OnceLock::new();
/// Within a process one test at a time, whatever its runner thinks.
static TURN: Mutex<()> = Mutex::new(());

/// The display of the test that plays, and where a picture of it goes when it waits in vain.
static IN_VAIN: Mutex<Option<(String, PathBuf)>> = Mutex::new(None);

/// Plays one test: sets its stage, and when it fails shows what all programs said.
///
/// # Panics
/// With the error of the test.
pub fn play(name: &str, test: impl FnOnce(&Stage) -> anyhow::Result<()>) {
    let stage = match Stage::enter(name) {
        Ok(stage) => stage,
        Err(error) => panic!("{name}: {error:#}"),
    };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test(&stage)));
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(error)) => panic!("{name}: {error:#}\n{}", child::outputs()),
        Err(panic) => {
            eprintln!("{}", child::outputs());
            std::panic::resume_unwind(panic)
        }
    }
}

/// A picture of what there is to see while a wait ends in vain: when the test has failed its windows are gone.
pub(crate) fn waited_in_vain() {
    // Locked already, it is the picture's own program that is waited for in vain.
    if let Ok(place) = IN_VAIN.try_lock()
        && let Some((display, file)) = &*place
        && let Err(error) = display::picture(display, file)
    {
        eprintln!("no screenshot: {error}");
    }
}

/// A lane has what one program's tests change and the next one's find again: folders below `target/e2e/<its number>`.
struct Lane {
    folder: PathBuf,
    _lock: File,
}

impl Lane {
    /// Takes the first lane no other process is in. How many there are at once is up to who starts them (`xtask`).
    fn enter() -> anyhow::Result<Self> {
        let mut number = 1;
        loop {
            let folder = scratch().join(number.to_string());
            std::fs::create_dir_all(&folder)?;
            let lock = File::create(folder.join("lane.lock"))?;
            // SAFETY: flock on a descriptor that is open; released by the kernel when it is closed, however we end.
            if unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
                return Ok(Self { folder, _lock: lock });
            }
            let error = std::io::Error::last_os_error();
            anyhow::ensure!(error.kind() == std::io::ErrorKind::WouldBlock, "{}: {error}", folder.display());
            number += 1;
        }
    }
}

/// Folder of this process's lane.
fn lane() -> &'static Path {
    &LANE.get_or_init(|| Lane::enter().unwrap_or_else(|error| panic!("{error:#}"))).folder
}

/// A test's surroundings. One at a time in a lane; everything in it is gone when it is dropped.
pub struct Stage {
    /// Name of the test.
    pub name: String,
    /// Its display.
    pub display: Display,
    /// Folder for everything it writes.
    pub folder: TempDir,
    mark: String,
    _turn: MutexGuard<'static, ()>,
}

impl Stage {
    /// Waits for the turn of this test and sets everything up.
    ///
    /// # Errors
    /// When the display can not be started or the binaries have not been built.
    pub fn enter(name: &str) -> anyhow::Result<Self> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        for program in ["staysail", "staysail-server"] {
            binary(program)?;
        }
        lighten_shell(lane())?;
        child::forget_outputs();
        let folder = tempfile::Builder::new().prefix("staysail-e2e-").tempdir()?;
        for kept in ["data", "home", "config", "cache", "run"] {
            std::fs::create_dir(folder.path().join(kept))?;
        }
        let mark = format!("{}-{}", std::process::id(), folder.path().display());
        let display = Display::start()?;
        let picture = pictures().join(format!("{name}-waited.png"));
        *IN_VAIN.lock().unwrap_or_else(PoisonError::into_inner) = Some((display.name().into(), picture));
        Ok(Self { name: name.into(), display, folder, mark, _turn: turn })
    }

    /// The mark of all processes of this test.
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// The file to which the fixture's backend writes what it executed.
    pub fn ledger_file(&self) -> PathBuf {
        self.folder.path().join("ledger.log")
    }

    /// A command with the surroundings of this test: display, folders, mark, quiet WebKit.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let folder = |name: &str| self.folder.path().join(name);
        command
            .env(MARK, &self.mark)
            .env("DISPLAY", self.display.name())
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("STAYSAIL_ENV")
            .env_remove("CARGO_TARGET_DIR")
            .env("GDK_BACKEND", "x11")
            .env("XDG_DATA_HOME", folder("data"))
            .env("XDG_CONFIG_HOME", folder("config"))
            .env("XDG_CACHE_HOME", folder("cache"))
            .env("XDG_RUNTIME_DIR", folder("run"))
            .env("STAYSAIL_E2E_LEDGER", self.ledger_file())
            .env("STAYSAIL_TARGET_DIR", cargo_target())
            .env("STAYSAIL_AUTOMATION", "1")
            .env("WEBKIT_DISABLE_DMABUF_RENDERER", "1")
            .env("LIBGL_ALWAYS_SOFTWARE", "1")
            .env("NO_AT_BRIDGE", "1")
            .env("WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS", "1")
            .env("NO_COLOR", "1")
            .env("RUST_BACKTRACE", "0");
        command
    }

    /// The live processes this test caused.
    pub fn processes(&self) -> Vec<Process> {
        processes::marked(&self.mark)
    }

    /// Those whose executable's file name contains `part`.
    pub fn processes_of(&self, part: &str) -> Vec<Process> {
        let named = |process: &Process| {
            Path::new(&process.executable())
                .file_name()
                .is_some_and(|name| name.to_string_lossy().contains(part))
        };
        self.processes().into_iter().filter(named).collect()
    }

    /// Waits until nothing this test caused is left but WebDrivers.
    ///
    /// # Errors
    /// When something is left; it is named.
    pub fn wait_nothing_left(&self, patience: Duration) -> anyhow::Result<()> {
        processes::wait_none_left(&self.mark, patience, |process| process.name != "WebKitWebDriver")
    }

    /// Waits until no process is left whose executable's name contains `part`.
    ///
    /// # Errors
    /// When one is.
    pub fn wait_nothing_left_of(&self, part: &str) -> anyhow::Result<()> {
        crate::wait_until(&format!("{part} to be gone"), Duration::from_secs(10), || {
            let left = self.processes_of(part);
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
    }

    /// Leaves a picture of the screen under `target/e2e/screenshots`.
    pub fn screenshot(&self, what: &str) {
        let file = pictures().join(format!("{}-{what}.png", self.name));
        if let Err(error) = self.display.screenshot(&file) {
            eprintln!("no screenshot: {error}");
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        *IN_VAIN.lock().unwrap_or_else(PoisonError::into_inner) = None;
        // Whatever a failed test left behind ends here, by the mark only this test's processes carry.
        for process in self.processes() {
            process.kill();
        }
    }
}

/// Root of the repository.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

fn pictures() -> PathBuf {
    scratch().join("screenshots")
}

fn scratch() -> PathBuf {
    target().join("e2e")
}

/// The cargo target folder that projects under test share, so that dependencies are compiled once in a lane.
pub fn cargo_target() -> PathBuf {
    lane().join("cargo")
}

/// The shell as built last, without what a debugger would want: it is copied, hashed and packed over and over.
///
/// # Errors
/// When it has not been built, or no test has begun.
pub fn shell_under_test() -> anyhow::Result<PathBuf> {
    light_shell(lane())
}

/// Its place, named by what it was made of.
fn light_shell(lane: &Path) -> anyhow::Result<PathBuf> {
    let facts = binary("staysail-shell")?.metadata()?;
    let written = facts.modified()?.duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
    Ok(lane.join(format!("shell-{written}-{}", facts.len())).join("staysail-shell"))
}

/// Makes it unless it is there; for the test whose turn it is.
fn lighten_shell(lane: &Path) -> anyhow::Result<()> {
    let light = light_shell(lane)?;
    if light.is_file() {
        return Ok(());
    }
    for entry in std::fs::read_dir(lane)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("shell-") {
            std::fs::remove_dir_all(entry.path())?;
        }
    }
    let folder = light.parent().context("it lies in a folder")?;
    std::fs::create_dir(folder)?;
    let half = folder.join("half");
    let mut strip = Command::new("strip");
    strip.arg("--strip-debug").arg("-o").arg(&half).arg(binary("staysail-shell")?);
    child::run("strip", strip, Duration::from_secs(60))?;
    Ok(std::fs::rename(half, light)?)
}

/// A program of this workspace, as built last.
///
/// # Errors
/// When it has not been built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::var_os("STAYSAIL_BIN_DIR").map_or_else(|| target().join("debug"), PathBuf::from);
    let file = folder.join(name);
    file.is_file().then_some(file.clone()).with_context(|| {
        format!(
            "{} is missing; build the programs first: cargo build -p staysail-cli -p staysail-shell -p \
             staysail-server (or name their folder in STAYSAIL_BIN_DIR)",
            file.display()
        )
    })
}
